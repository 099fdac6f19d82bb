// SPDX-License-Identifier: MIT
#if Redis
internal import LeaderElection
internal import Synchronization

/// What all servers of a quorum are asked at once.
enum QuorumCall: Sendable {
    /// Refreshes what the request's nonce holds, and reads the rest.
    case probe([AcquireRequest])
    /// Sets leases with these terms where nobody else holds them.
    case propose([AcquireRequest], terms: [Int64])
    /// Sets leases again that a majority still holds and this server has forgotten.
    case heal([AcquireRequest], terms: [Int64])
    case renew([RenewRequest])
    case release([ReleaseRequest])
    case read([ElectionGroup], timeout: Duration)
}

/// What one server of a quorum said.
enum QuorumReply: Sendable {
    case statuses([LeaseReply.Status], serverNanoseconds: Int64)
    case renewals([RenewAnswer])
    case releases([ReleaseAnswer])
    case failed(ElectionError)

    /// The server's clock, where the reply tells it.
    var serverMilliseconds: Int64? {
        if case .statuses(_, let time) = self { time / 1_000_000 } else { nil }
    }
}

/// One server of a quorum, with a lane of its own: however slow it is, it delays nobody but itself.
///
/// How many calls may wait for it, or be abandoned, is bounded by the lane and by their time-outs.
struct QuorumMember: Sendable {
    let store: RedisLeaseStore
    /// Where it is, for people.
    let name: String
    private let lane: CallLane<QuorumCall, QuorumReply>

    init(store: RedisLeaseStore, name: String) {
        self.store = store
        self.name = name
        lane = CallLane(
            executor: SerialThread.engine,
            clock: .system,
            maximumBatch: 1,
            unknown: { .failed(.wrapping($0)) },
            call: { calls in
                var replies: [QuorumReply] = []
                do {
                    for call in calls { replies.append(try await Self.carryOut(call, store)) }
                } catch let error as CancellationError {
                    // The lane cancels what takes too long, and does not know whom it asked.
                    throw ElectionError(.timedOut, "\(name) did not answer in time", cause: error)
                }
                return replies
            }
        )
    }

    /// Delivers the answer, or a failure once the time is up.
    func submit(_ call: QuorumCall, timeout: Duration, _ deliver: @escaping @Sendable (QuorumReply) -> Void) {
        SerialThread.engine.executeNext { [lane] in
            lane.assumeIsolated { $0.submit(call, timeout: timeout, isUrgent: true, deliver) }
        }
    }

    private static func carryOut(_ call: QuorumCall, _ store: RedisLeaseStore) async throws -> QuorumReply {
        switch call {
        case .probe(let requests):
            let zeros = [Int64](repeating: 0, count: requests.count)
            return try await acquire(requests, .proposed(zeros), store)
        case .propose(let requests, let terms):
            return try await acquire(requests, .proposed(terms), store)
        case .heal(let requests, let terms): return try await acquire(requests, .healed(terms), store)
        case .renew(let requests):
            let timeout = requests.lazy.map(\.timeout).min() ?? .seconds(1)
            return .renewals(try await store.renew(requests, until: .now + timeout))
        case .release(let requests):
            let timeout = requests.lazy.map(\.timeout).min() ?? .seconds(1)
            return .releases(try await store.release(requests, until: .now + timeout))
        case .read(let groups, let timeout):
            let (statuses, reply) = try await store.read(groups, until: .now + timeout)
            return .statuses(statuses, serverNanoseconds: reply.serverNanoseconds)
        }
    }

    private static func acquire(
        _ requests: [AcquireRequest],
        _ terms: RedisLeaseStore.Terms,
        _ store: RedisLeaseStore
    ) async throws -> QuorumReply {
        let timeout = requests.lazy.map(\.timeout).min() ?? .seconds(1)
        let (statuses, reply) = try await store.acquire(requests, terms: terms, until: .now + timeout)
        return .statuses(statuses, serverNanoseconds: reply?.serverNanoseconds ?? 0)
    }
}

/// Collects what the servers of a quorum answer, and goes on as soon as that decides the matter.
final class QuorumRound: Sendable {
    private struct State {
        var replies: [QuorumReply?]
        var waiter: CheckedContinuation<Void, Never>?
        var isDecided = false
    }

    private let state: Mutex<State>
    private let isEnough: @Sendable ([QuorumReply?]) -> Bool
    private let afterwards: @Sendable (_ member: Int, QuorumReply) -> Void

    /// - Parameters:
    ///   - isEnough: whether the replies so far decide the matter; asked again until it does or all have come.
    ///   - afterwards: told of replies that come later.
    init(
        count: Int,
        isEnough: @escaping @Sendable ([QuorumReply?]) -> Bool,
        afterwards: @escaping @Sendable (_ member: Int, QuorumReply) -> Void = { _, _ in }
    ) {
        state = Mutex(State(replies: Array(repeating: nil, count: count)))
        self.isEnough = isEnough
        self.afterwards = afterwards
    }

    func take(_ reply: QuorumReply, from member: Int) {
        let (waiter, isLate) = state.withLock { state -> (CheckedContinuation<Void, Never>?, Bool) in
            guard !state.isDecided else { return (nil, true) }
            state.replies[member] = reply
            state.isDecided = !state.replies.contains { $0 == nil } || isEnough(state.replies)
            guard state.isDecided else { return (nil, false) }
            defer { state.waiter = nil }
            return (state.waiter, false)
        }
        waiter?.resume()
        if isLate { afterwards(member, reply) }
    }

    /// What has come when the matter is decided; nil for who has not answered by then.
    func replies() async -> [QuorumReply?] {
        await withCheckedContinuation { continuation in
            let isDecided = state.withLock { state in
                if !state.isDecided { state.waiter = continuation }
                return state.isDecided
            }
            if isDecided { continuation.resume() }
        }
        return state.withLock { $0.replies }
    }
}
#endif
