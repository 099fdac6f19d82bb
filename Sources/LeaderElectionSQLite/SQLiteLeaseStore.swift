// SPDX-License-Identifier: MIT
#if SQLite
internal import ElectionFiles
internal import ElectionStores
internal import LeaderElection
internal import Logging
internal import Synchronization

/// The verbs, each in one transaction for all requests of a call; runs on a thread of its own.
///
/// Between two attempts of a call that found the database locked, the thread is free: a call that waits for a
/// foreign writer never delays another call.
actor SQLiteLeaseStore {
    struct Settings: Sendable {
        var path: String
        var allowNetworkFileSystem: Bool
        var createIfMissing: Bool
        var detectProcessDeath: Bool
        var clock: any ElectionClock
        /// Overrides the machine's clock domain, for tests.
        var clockDomain: String?
        var logger: Logger?
    }

    nonisolated let settings: Settings
    nonisolated let thread = SerialThread(name: "election-sqlite")
    nonisolated let subscribers = HintSubscribers()
    nonisolated let inbox = ChangeInbox()
    /// Immediate transactions that were begun.
    nonisolated let writeTransactions = Atomic<Int>(0)
    /// What tells others that this provider lives; also read from other threads.
    nonisolated let processLock = Mutex<ProcessLock?>(nil)

    var connection: SQLiteConnection?
    var largestLease: Duration = .zero
    var watcher: DirectoryWatcher?
    /// The groups somebody has asked about and not yet freed: only these are worth a hint.
    var interest: Set<ElectionGroup> = []
    /// The newest change that subscribers know of, or that is our own.
    var lastChange: Int64 = 0
    /// The newest of the notes that subscribers know of.
    var lastNews: Int64 = 0
    var mustResync = false
    /// What was warned of, each only once.
    var warnings: Set<String> = []
    var isOnNetwork = false
    private lazy var unknownDomain = "unknown/\(Nonce())"

    nonisolated var unownedExecutor: UnownedSerialExecutor { thread.asUnownedSerialExecutor() }

    init(_ settings: Settings) {
        self.settings = settings
    }

    // MARK: - Verbs

    func acquire(_ requests: [AcquireRequest], until deadline: ElectionInstant) async -> [AcquireAnswer] {
        largestLease = requests.reduce(largestLease) { max($0, $1.leaseDuration) }
        interest.formUnion(requests.lazy.map(\.group))
        var answers: [AcquireAnswer?] = []
        do {
            try await attempt(until: deadline) { connection in
                answers = Array(repeating: nil, count: requests.count)
                try acquireOnce(requests, connection, &answers)
            }
            return zip(requests, answers).map { $1 ?? .unknown(unreadable($0.group)) }
        } catch {
            // What was read before the write failed is still worth telling.
            return requests.indices.map { (answers.indices.contains($0) ? answers[$0] : nil) ?? .unknown(error) }
        }
    }

    func renew(_ requests: [RenewRequest], until deadline: ElectionInstant) async -> [RenewAnswer] {
        do {
            return try await attempt(until: deadline) { connection in
                let domain = clockDomain
                return try write(connection) { now, _ in
                    try requests.map { try renewOne($0, connection, now, domain) }
                }
            }
        } catch {
            return requests.map { _ in .unknown(error) }
        }
    }

    func release(_ requests: [ReleaseRequest], until deadline: ElectionInstant) async -> [ReleaseAnswer] {
        do {
            let answers: [ReleaseAnswer] = try await attempt(until: deadline) { connection in
                try write(connection) { _, change in
                    try requests.map { request in
                        try connection.handle.run(
                            .release,
                            .text(request.group.name),
                            .nonce(request.nonce),
                            SQLiteValue(request.term),
                            .integer(change)
                        )
                        return connection.handle.changes == 1 ? .released : .notHeld
                    }
                }
            }
            announce()
            // Everybody who waits was just told, and asks again if still interested.
            for (request, answer) in zip(requests, answers) {
                if case .released = answer { interest.remove(request.group) }
            }
            return answers
        } catch {
            return requests.map { _ in .unknown(error) }
        }
    }

    func holders(of groups: [ElectionGroup], until deadline: ElectionInstant) async -> [HolderAnswer] {
        interest.formUnion(groups)
        do {
            return try await attempt(until: deadline) { connection in
                let domain = clockDomain
                return try connection.handle.transaction(.begin) {
                    let now = settings.clock.now
                    return try groups.map { group in
                        switch try lease(of: group, connection) {
                        case .failure(let error): .unknown(error)
                        case .success(let row):
                            row?.record(at: now, in: domain).map { .held($0) } ?? .free(lastTerm: row?.term)
                        }
                    }
                }
            }
        } catch {
            return groups.map { _ in .unknown(error) }
        }
    }

    func startHints() {
        // A store that is away now is watched as soon as a call finds it.
        if (try? open()) == nil { mustResync = true }
        watchIfWanted()
    }

    /// Closes everything on this thread; that may write to the disk.
    func shutDown() {
        watcher = nil
        connection = nil
        processLock.withLock { $0 = nil }
    }

    func execute(_ sql: String) throws {
        try open().handle.execute(sql)
    }

    // MARK: - Transactions

    private func acquireOnce(
        _ requests: [AcquireRequest],
        _ connection: SQLiteConnection,
        _ answers: inout [AcquireAnswer?]
    ) throws {
        let domain = clockDomain
        var wanted: [Int] = []
        var ended: Set<String> = []
        var living: Set<String> = []
        let canProve = settings.detectProcessDeath && !isOnNetwork
        // Also for a candidate that only waits: when its turn comes, nothing is left to prepare.
        let processLock = try prepareProcessLock(connection)?.name
        // Readers never wait for a writer: a candidate that waits costs the others nothing.
        try connection.handle.transaction(.begin) {
            let now = settings.clock.now
            for (index, request) in requests.enumerated() {
                switch try lease(of: request.group, connection) {
                case .failure(let error): answers[index] = .unknown(error)
                case .success(nil): wanted.append(index)
                case .success(let row?):
                    if row.mayBeTaken(by: request, at: now, in: domain)
                        || (canProve && connection.hasEnded(row.processLock, &ended, &living))
                    {
                        wanted.append(index)
                    } else {
                        answers[index] = row.record(at: now, in: domain).map { .held($0) }
                    }
                }
            }
        }
        guard !wanted.isEmpty else { return }
        let (removed, change, newest) = try write(connection) { now, change in
            if let wait = try connection.quarantine(at: now, in: domain) {
                for index in wanted { answers[index] = wait }
                return (Set<String>(), change, change - 1)
            }
            var removed: Set<String> = []
            for index in wanted {
                let request = requests[index]
                if let name = try lease(of: request.group, connection).get()?.processLock, ended.contains(name),
                    removed.insert(name).inserted
                {
                    // All leases of a process end with it: whoever comes next needs no proof any more.
                    try connection.handle.run(.endProcess, .text(name), .integer(change))
                }
                answers[index] = try grant(request, connection, now, domain, change, processLock)
            }
            return (removed, change, try connection.lastChange())
        }
        // Our own grants are no news to us, unless foreign ones came before them. A lease that was ours before is no
        // change at all, and its number is the next one's.
        if removed.isEmpty, lastChange == change - 1 { lastChange = newest }
        for name in removed { connection.removeProcessFile(name) }
        announce()
    }

    private func grant(
        _ request: AcquireRequest,
        _ connection: SQLiteConnection,
        _ now: ElectionInstant,
        _ domain: String,
        _ change: Int64,
        _ processLock: String?
    ) throws -> AcquireAnswer? {
        var term: Int64?
        try connection.handle.run(
            .acquire,
            .text(request.group.name),
            .nonce(request.nonce),
            .text(request.candidate.id),
            .nonce(request.candidate.incarnation),
            .text(MetadataText.encode(request.candidate.metadata)),
            .integer(request.leaseDuration.wholeMilliseconds),
            .integer(now.nanoseconds),
            .integer((now + request.leaseDuration).nanoseconds),
            .text(domain),
            SQLiteValue(settings.detectProcessDeath ? processLock : nil),
            .integer(settings.clock.wallNanoseconds / 1_000_000),
            .integer(change),
            SQLiteValue(request.previousNonce),
            SQLiteValue(request.observed?.term),
            SQLiteValue(request.observed?.sequence)
        ) { term = $0.integer(0) }
        if let term { return .granted(term: term, leaseDuration: request.leaseDuration) }
        return try lease(of: request.group, connection).get()?.record(at: now, in: domain).map { .held($0) }
    }

    private func renewOne(
        _ request: RenewRequest,
        _ connection: SQLiteConnection,
        _ now: ElectionInstant,
        _ domain: String
    ) throws -> RenewAnswer {
        try connection.handle.run(
            .renew,
            .text(request.group.name),
            .nonce(request.nonce),
            .integer(request.term),
            .text(domain),
            .integer(now.nanoseconds),
            .integer(request.leaseDuration.wholeMilliseconds),
            .integer((now + request.leaseDuration).nanoseconds)
        )
        if connection.handle.changes == 1 { return .renewed(leaseDuration: request.leaseDuration) }
        guard case .success(let row?) = try lease(of: request.group, connection), row.nonce != request.nonce else {
            return .lost(nil)
        }
        return .lost(row.record(at: now, in: domain))
    }

    /// One immediate transaction; the clock is read when the write lock is held.
    func write<Result>(
        _ connection: SQLiteConnection,
        _ body: (_ now: ElectionInstant, _ change: Int64) throws -> Result
    ) throws -> Result {
        try connection.handle.transaction(.beginImmediate) {
            writeTransactions.add(1, ordering: .relaxed)
            var change: Int64 = 0
            try connection.handle.run(.lastChange) { change = $0.integer(0) + 1 }
            return try body(settings.clock.now, change)
        }
    }

    private func lease(
        of group: ElectionGroup,
        _ connection: SQLiteConnection
    ) throws -> Result<LeaseRow?, ElectionError> {
        var answer: Result<LeaseRow?, ElectionError> = .success(nil)
        try connection.handle.run(.read, .text(group.name)) { row in
            do {
                answer = .success(try LeaseRow(row))
            } catch let error as ElectionError {
                answer = .failure(ElectionError(error.code, error.message, group: group.name))
            }
        }
        return answer
    }

    private func unreadable(_ group: ElectionGroup) -> ElectionError {
        ElectionError(.storeCorrupted, "the lease is neither free nor held by anybody", group: group.name)
    }

    /// Within which readings of the boot clock can be compared; may change when a process is restored.
    var clockDomain: String { settings.clockDomain ?? ClockDomain.current ?? unknownDomain }
}
#endif
