// SPDX-License-Identifier: MIT
#if ZooKeeper
internal import ElectionStores
internal import LeaderElection
internal import Logging

/// The verbs, and all that is known of the session; runs on a thread of its own.
///
/// Nothing here waits: requests are handed to the client library, and its answers come back through an inbox. Requests
/// of one session are carried out in the order in which they are sent, which much of this relies on.
actor ZooKeeperStore {
    typealias Handler = (ZooKeeperReply) -> Void

    nonisolated let settings: ZooKeeperSettings
    nonisolated let thread = SerialThread(name: "election-zk")
    /// Opening and closing handles may block for seconds.
    nonisolated let opener = SerialThread(name: "election-zk-io")
    nonisolated let subscribers = HintSubscribers()

    // The session.
    var phase = SessionPhase.closed(notBefore: .distantPast, cause: nil)
    var openFailures = 0
    /// What the last session was asked for.
    var wantedTimeout: Duration?
    /// Calls that wait for a session, with what to do once there is one.
    var whenReady: [UInt64: Waiting] = [:]
    var heartbeatWaiters: [(ZooKeeperReply) -> Void] = []
    /// When the heartbeat was sent that is not answered yet.
    var heartbeatUnderWay: ElectionInstant?
    /// Whether an answer must come soon, because the session may be over.
    var isDoubting = false
    var beatTimer: SerialThread.Timer?
    var beatDue = ElectionInstant.distantFuture
    var nextHeartbeat = ElectionInstant.distantPast
    var lastRenewals = ElectionInstant.distantPast
    /// No place has to be given up before.
    var nextExpiry = ElectionInstant.distantFuture
    var warnings: Set<String> = []
    var isShutDown = false

    /// What is to be done in a while.
    var delayed: [UInt64: () -> Void] = [:]

    // Requests.
    var handlers: [UInt64: Handler] = [:]
    var lastRequest: UInt64 = 0
    var inFlight = 0
    var backlog = FIFOQueue<WaitingRequest>()
    /// What elections do not wait for.
    var unhurried = FIFOQueue<WaitingRequest>()
    var sentCount = 0

    // Queues.
    var groups: [ElectionGroup: GroupQueue] = [:]
    /// What the last new places told of the groups that come next.
    var expectsNewGroups = true
    var entriesUnderWay = 0
    /// Nodes by which we lead, to be watched when there is little else to do.
    var unwatched = FIFOQueue<(group: ElectionGroup, node: Contender)>()
    var watched: [UInt64: WatchedNode] = [:]
    var watchIDs: [String: UInt64] = [:]
    var watchedBytes = 0

    // Notes.
    var ownNotes: [ElectionGroup: [String: OwnNote]] = [:]
    var nextNoteExpiry = ElectionInstant.distantFuture
    var noteTimer: SerialThread.Timer?
    var noteReadings: [ElectionGroup: NoteReading] = [:]
    var notedGroups: NotedGroups?
    var news = NewsInterest()
    var newsWatches: [UInt64: NewsSlot] = [:]

    private var expiries: [UInt64: () -> Void] = [:]
    private var lastBatch: UInt64 = 0

    nonisolated var unownedExecutor: UnownedSerialExecutor { thread.asUnownedSerialExecutor() }

    init(_ settings: ZooKeeperSettings) {
        self.settings = settings
    }

    // MARK: - Verbs

    func acquire(_ requests: [AcquireRequest]) async -> [AcquireAnswer] {
        let arrival = ElectionInstant.now
        if let lease = requests.first?.leaseDuration { wantTimeout(settings.sessionTimeout ?? lease) }
        return await answering(requests, timeout: { $0.timeout }, unknown: { .unknown($0) }) { batch in
            var new: [NewPlace] = []
            for (index, request) in requests.enumerated() {
                if let place = self.ask(request, arrival: arrival, { batch.settle(index, $0) }) { new.append(place) }
            }
            self.enter(new)
            // One look answers all that is asked of a group.
            for request in requests { self.look(request.group) }
            self.beatSoon()
        }
    }

    func renew(_ requests: [RenewRequest]) async -> [RenewAnswer] {
        let arrival = ElectionInstant.now
        guard requests.contains(where: holds) else { return requests.map { .lost(leader($0.group)) } }
        let timeout = requests.lazy.map(\.timeout).min() ?? .seconds(1)
        // One answer for all: there may be thousands.
        let leases = await answering([timeout], timeout: { $0 }, unknown: { .failure($0) }) { batch in
            self.proveLife(at: arrival) { batch.settle(0, self.lease(from: arrival, $0)) }
        }
        let lease = leases.first ?? .failure(settings.slow)
        return requests.map { renewal(of: $0, arrival, lease) }
    }

    func release(_ requests: [ReleaseRequest]) async -> [ReleaseAnswer] {
        // What is not in our table has no node of this session, and needs no server to say so.
        let isOurs = requests.contains { groups[$0.group]?.places[$0.nonce] != nil }
        guard isOurs else { return requests.map { _ in .notHeld } }
        return await answering(requests, timeout: { $0.timeout }, unknown: { .unknown($0) }) { batch in
            for (index, request) in requests.enumerated() {
                guard let place = self.groups[request.group]?.places[request.nonce],
                    request.term == nil || place.term == nil || place.term == request.term
                else {
                    batch.settle(index, .notHeld)
                    continue
                }
                self.withdraw(request.group, request.nonce) { batch.settle(index, $0) }
            }
        }
    }

    func holders(of groups: [ElectionGroup]) async -> [HolderAnswer] {
        await answering(groups, isReading: true, timeout: { _ in .seconds(2) }, unknown: { .unknown($0) }) { batch in
            for (index, group) in groups.enumerated() { self.readHolder(group) { batch.settle(index, $0) } }
        }
    }

    /// Runs `start` once there is a session, and returns when all answers are there or the time is up.
    ///
    /// - Parameter isReading: needs no node for heartbeats, which whoever may only read cannot make.
    func answering<Request, Answer: Sendable>(
        _ requests: [Request],
        isReading: Bool = false,
        timeout: (Request) -> Duration,
        unknown: @escaping (ElectionError) -> Answer,
        _ start: @escaping (AnswerBatch<Answer>) -> Void
    ) async -> [Answer] {
        guard !requests.isEmpty else { return [] }
        // A little before the caller gives up, so that it hears of those that were answered.
        let deadline = ElectionInstant.now + (requests.lazy.map(timeout).min() ?? .seconds(1)) * 0.8
        return await withCheckedContinuation { continuation in
            lastBatch += 1
            let id = lastBatch
            let timer = thread.schedule(at: deadline) { [weak self] in self?.assumeIsolated { $0.expire(id) } }
            let batch = AnswerBatch<Answer>(requests.count) { answers in
                timer.cancel()
                self.expiries[id] = nil
                self.whenReady[id] = nil
                continuation.resume(returning: answers)
            }
            expiries[id] = { batch.settleRest(unknown(self.causeOfSilence)) }
            ready(id, isReading: isReading) { error in
                if let error { batch.settleRest(unknown(error)) } else if !batch.isComplete { start(batch) }
            }
        }
    }

    private func expire(_ id: UInt64) { expiries[id]?() }

    // MARK: - Leases

    private func holds(_ request: RenewRequest) -> Bool {
        groups[request.group]?.places[request.nonce]?.isHeld(in: request.term) ?? false
    }

    /// False if the lease is not held; in place, because there may be thousands.
    private func prolong(_ request: RenewRequest, until end: ElectionInstant?) -> Bool {
        groups[request.group]?.places[request.nonce]?.prolong(request.term, until: end) ?? false
    }

    /// The node by which this provider leads.
    func leadingNode(of group: ElectionGroup, term: Int64) -> String? {
        guard let place = groups[group]?.places.values.first(where: { $0.term == term }), !place.isWithdrawn,
            place.grantedUntil != nil, let node = place.node
        else { return nil }
        return settings.path(group, node.name)
    }

    private func leader(_ group: ElectionGroup) -> LeaseRecord? {
        guard let queue = groups[group], queue.isCurrent else { return nil }
        return queue.leader?.record
    }

    /// What a heartbeat that was answered is good for: the same for all leases.
    private func lease(from arrival: ElectionInstant, _ reply: ZooKeeperReply) -> Result<Duration, ElectionError> {
        guard reply.code == ZooKeeperCode.ok, let ledger = session?.ledger else {
            return .failure(settings.failure(reply.code, "keeping the session alive"))
        }
        let lease = ledger.leaseDuration(requested: arrival)
        return lease > .zero ? .success(lease) : .failure(settings.slow)
    }

    private func renewal(
        of request: RenewRequest,
        _ arrival: ElectionInstant,
        _ lease: Result<Duration, ElectionError>
    ) -> RenewAnswer {
        guard prolong(request, until: (try? lease.get()).map { arrival + $0 }) else {
            return .lost(leader(request.group))
        }
        return switch lease {
        case .success(let lease): .renewed(leaseDuration: lease)
        case .failure(let error): .unknown(error)
        }
    }

    /// Closes everything, which ends the session and all that it holds.
    func shutDown() {
        isShutDown = true
        dropSession(cause: nil, mustClose: true)
        beatTimer?.cancel()
        noteTimer?.cancel()
    }
}
#endif
