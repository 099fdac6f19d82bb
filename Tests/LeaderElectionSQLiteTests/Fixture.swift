// SPDX-License-Identifier: MIT
#if SQLite
internal import Foundation
internal import LeaderElection
internal import Synchronization

@testable internal import LeaderElectionSQLite

/// A directory of its own for one test, gone with the value.
final class TemporaryDirectory: Sendable {
    let path: String

    init() throws {
        path = NSTemporaryDirectory() + "election-sqlite-\(Nonce())"
        try FileManager.default.createDirectory(atPath: path, withIntermediateDirectories: false)
    }

    deinit { try? FileManager.default.removeItem(atPath: path) }

    var database: String { path + "/election.db" }

    var names: [String] { (try? FileManager.default.contentsOfDirectory(atPath: path)) ?? [] }

    var processFiles: [String] { names.filter { $0.hasPrefix("election.db-alive-") } }

    func removeDatabase() throws {
        for name in names where name.hasPrefix("election.db") && !name.contains("-alive-") {
            try FileManager.default.removeItem(atPath: path + "/" + name)
        }
    }

    func provider(
        clock: any ElectionClock = .system,
        domain: String? = nil,
        detectProcessDeath: Bool = true,
        createIfMissing: Bool = true
    ) throws -> SQLiteElectionProvider {
        try SQLiteElectionProvider(
            SQLiteLeaseStore.Settings(
                path: database,
                allowNetworkFileSystem: false,
                createIfMissing: createIfMissing,
                detectProcessDeath: detectProcessDeath,
                clock: clock,
                clockDomain: domain,
                logger: nil
            )
        )
    }
}

/// A clock that stands still unless it is moved.
final class StoppedClock: ElectionClock {
    private let time = Mutex((now: ElectionInstant(nanoseconds: 1_000_000_000), wall: Int64(1_000_000_000)))

    var now: ElectionInstant { time.withLock { $0.now } }
    var wallNanoseconds: Int64 { time.withLock { $0.wall } }

    func advance(by duration: Duration) {
        time.withLock {
            $0.now = $0.now.advanced(by: duration)
            $0.wall += duration.wholeNanoseconds
        }
    }

    func turnWallClock(by duration: Duration) {
        time.withLock { $0.wall += duration.wholeNanoseconds }
    }

    func schedule(
        at deadline: ElectionInstant,
        _ action: @escaping @Sendable () -> Void
    ) -> any ElectionTimer {
        preconditionFailure("a provider sets no timers on this clock")
    }
}

extension Duration {
    /// So long that no lease ends by itself in a test that runs on the real clock, however busy the machine.
    static let lease: Duration = .seconds(600)
    /// So long that no call that is to succeed can time out.
    static let patience: Duration = .seconds(60)
}

/// A candidate with its lease, as the engine would keep it.
struct Contender {
    let provider: SQLiteElectionProvider
    let candidate: Candidate
    var nonce = Nonce()

    init(_ id: String, _ provider: SQLiteElectionProvider, metadata: [String: String] = [:]) {
        self.provider = provider
        candidate = Candidate(id: id, incarnation: Nonce(), metadata: metadata)
    }

    func acquire(
        _ group: ElectionGroup,
        previous: Nonce? = nil,
        observed: LeaseVersion? = nil,
        lease: Duration = .lease,
        timeout: Duration = .patience
    ) async throws -> AcquireAnswer {
        let request = AcquireRequest(
            group: group,
            candidate: candidate,
            nonce: nonce,
            previousNonce: previous,
            observed: observed,
            leaseDuration: lease,
            timeout: timeout
        )
        return try await provider.acquire([request])[0]
    }

    func renew(_ group: ElectionGroup, term: Int64, nonce: Nonce? = nil) async throws -> RenewAnswer {
        let request = RenewRequest(
            group: group,
            nonce: nonce ?? self.nonce,
            term: term,
            leaseDuration: .lease,
            timeout: .patience
        )
        return try await provider.renew([request])[0]
    }

    func release(_ group: ElectionGroup, term: Int64?) async throws -> ReleaseAnswer {
        let request = ReleaseRequest(group: group, nonce: nonce, term: term, timeout: .patience)
        return try await provider.release([request])[0]
    }

    func holder(_ group: ElectionGroup) async throws -> HolderAnswer { try await provider.holders(of: [group])[0] }
}

extension AcquireAnswer {
    var term: Int64? {
        if case .granted(let term, _) = self { term } else { nil }
    }
    var record: LeaseRecord? {
        if case .held(let record) = self { record } else { nil }
    }
    var error: ElectionError? {
        if case .unknown(let error) = self { error as? ElectionError } else { nil }
    }
}

extension RenewAnswer {
    var isRenewed: Bool {
        if case .renewed = self { true } else { false }
    }
    var isLost: Bool {
        if case .lost = self { true } else { false }
    }
    var newHolder: LeaseRecord? {
        if case .lost(let record) = self { record } else { nil }
    }
}

extension ReleaseAnswer {
    var isReleased: Bool {
        if case .released = self { true } else { false }
    }
}

extension HolderAnswer {
    var record: LeaseRecord? {
        if case .held(let record) = self { record } else { nil }
    }
    var error: ElectionError? {
        if case .unknown(let error) = self { error as? ElectionError } else { nil }
    }
}

/// The hints of a provider, in order.
struct Hints {
    private let subscription: any HintSubscription
    private var iterator: AsyncStream<ProviderHint>.Iterator

    /// Returns when the directory is watched.
    init(of provider: SQLiteElectionProvider) async {
        let (stream, continuation) = AsyncStream.makeStream(of: ProviderHint.self)
        iterator = stream.makeAsyncIterator()
        subscription = provider.hints { continuation.yield($0) }
        await finish(provider.store.thread)
    }

    mutating func next() async -> ProviderHint? { await iterator.next(isolation: #isolation) }
}

/// Returns when everything that was handed to the thread before is done.
func finish(_ thread: SerialThread) async {
    await withCheckedContinuation { continuation in thread.execute { continuation.resume() } }
}

/// Yields until `condition` holds; false when that takes too long.
func eventually(_ condition: () -> Bool) async -> Bool {
    let deadline = ContinuousClock.now + .seconds(20)
    while !condition() {
        if ContinuousClock.now > deadline { return false }
        await Task.yield()
    }
    return true
}
#endif
