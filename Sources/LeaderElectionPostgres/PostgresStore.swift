// SPDX-License-Identifier: MIT
#if Postgres
internal import ElectionStores
internal import LeaderElection
internal import Logging

/// The verbs, each in one statement for all requests of a call.
actor PostgresStore {
    nonisolated let settings: PostgresSettings
    nonisolated let subscribers = HintSubscribers()
    nonisolated let work: PostgresLink
    nonisolated let notes: PostgresNotes
    nonisolated let lots: PostgresLots
    private nonisolated let testChannel: SQLName

    private var isObservingWork = false
    private var clock = ServerClockGuard()
    /// The longest lease that anybody asked for here.
    var longestLease = Duration.zero
    private var hasSeenAuthority = false
    /// Where the connection for statements leads to; nil before there was one.
    private(set) var server: String?
    private var warnings: Set<String> = []
    /// How long the last caller was ready to wait; what the connection for notifications goes by.
    private(set) var attemptTimeout = Duration.seconds(2)
    private(set) var push: PostgresPush?
    /// The groups that were asked for here since they were last given back.
    var groups: Set<ElectionGroup> = []
    /// Those of them whose lease was given back, by the last that was heard, and when.
    var freed: [ElectionGroup: ElectionInstant] = [:]
    /// The releases under way of which only a few were told so far.
    var watches: [(group: ElectionGroup, watch: GrantWatch)] = []
    /// How long those few have to take the lease before all are told.
    var headStart = HintSpread.headStart
    /// The last terms of the leases that were free at the last look, where nothing is pushed.
    var seenReleased: [ElectionGroup: Int64] = [:]
    /// The terms that were granted here and that the others have yet to be told of.
    var unannounced: [ElectionGroup: Int64] = [:]

    nonisolated var unownedExecutor: UnownedSerialExecutor { SerialThread.engine.asUnownedSerialExecutor() }

    init(_ settings: PostgresSettings) throws {
        self.settings = settings
        lots = try PostgresLots(of: settings.channel)
        testChannel = try SQLName("election_test_\(Nonce())", what: "channel for tests")
        work = PostgresLink(PostgresOpener(settings), .statements)
        notes = PostgresNotes(settings)
    }

    // MARK: - Verbs

    func acquire(_ requests: [AcquireRequest]) async throws -> [AcquireAnswer] {
        longestLease = requests.reduce(longestLease) { max($0, $1.leaseDuration) }
        groups.formUnion(requests.lazy.map(\.group))
        let answers = try await inRounds(requests, of: \.group) { try await acquireOnce($0) }
        takePlaces(requests, answers)
        return answers
    }

    func renew(_ requests: [RenewRequest]) async throws -> [RenewAnswer] {
        longestLease = requests.reduce(longestLease) { max($0, $1.leaseDuration) }
        let answers = try await inRounds(requests, of: \.group) { try await renewOnce($0) }
        leavePlaces(zip(requests, answers).compactMap { if case .lost = $1 { $0.nonce } else { nil } })
        return answers
    }

    func holders(of groups: [ElectionGroup]) async throws -> [HolderAnswer] {
        guard !groups.isEmpty else { return [] }
        listenToWork()
        var parameters = PostgresParameters()
        parameters.add(texts: groups.map(\.name))
        let isDoubted = clock.isSuspect(at: .now)
        return try await run({ $0.holders }, parameters, attemptTimeout) { result in
            groups.indices.map { row in
                do {
                    guard result.flag(row, 1) else { return .free(lastTerm: result.integer(row, 2)) }
                    return .held(try result.record(row, from: 2, isDoubted: isDoubted))
                } catch {
                    return .unknown(Self.naming(groups[row], error))
                }
            }
        }
    }

    /// Splits a batch so that no statement names a group twice; nearly always one round.
    func inRounds<Request, Answer>(
        _ requests: [Request],
        of group: (Request) -> ElectionGroup,
        _ call: ([Request]) async throws -> [Answer]
    ) async throws -> [Answer] {
        guard !requests.isEmpty else { return [] }
        listenToWork()
        var seen: Set<ElectionGroup> = []
        guard requests.contains(where: { !seen.insert(group($0)).inserted }) else { return try await call(requests) }
        var answers: [Int: Answer] = [:]
        var left = Array(requests.indices)
        while !left.isEmpty {
            seen = []
            let round = left.filter { seen.insert(group(requests[$0])).inserted }
            left.removeAll { round.contains($0) }
            for (index, answer) in zip(round, try await call(round.map { requests[$0] })) { answers[index] = answer }
        }
        return requests.indices.compactMap { answers[$0] }
    }

    private func acquireOnce(_ requests: [AcquireRequest]) async throws -> [AcquireAnswer] {
        let timeout = requests.lazy.map(\.timeout).min() ?? attemptTimeout
        attemptTimeout = timeout
        if requests.count == 1, let answer = try await tryToAcquireFreed(requests[0], timeout) { return [answer] }
        var outcome = try await tryToAcquire(requests, timeout)
        noteAuthority(outcome)
        if outcome.mustRegister {
            try await register(timeout)
            outcome = try await tryToAcquire(requests, timeout)
            noteAuthority(outcome)
        }
        return outcome.answers
    }

    private struct Acquisition: Sendable {
        var answers: [AcquireAnswer] = []
        /// The authority on record is another one, or knows only of shorter leases.
        var mustRegister = false
        /// There is a record of this very authority, or a lease.
        var isInUse = false
    }

    /// Whoever knows of a record, or of a lease, will notice when all of it is gone, whoever wrote it.
    private func noteAuthority(_ outcome: Acquisition) {
        if outcome.isInUse { hasSeenAuthority = true }
    }

    /// How long a release is worth a statement of its own.
    private static let freshness = Duration.milliseconds(500)

    /// The shorter statement for a lease that was just given back; others may be quicker, and then it answers nothing.
    private func tryToAcquireFreed(_ request: AcquireRequest, _ timeout: Duration) async throws -> AcquireAnswer? {
        guard let heard = freed.removeValue(forKey: request.group), .now - heard < Self.freshness else { return nil }
        var parameters = PostgresParameters()
        parameters.add(request.group.name)
        parameters.add(request.nonce)
        parameters.add(request.candidate.id)
        parameters.add(request.candidate.incarnation)
        parameters.add(MetadataText.encode(request.candidate.metadata))
        parameters.add(request.leaseDuration.wholeMilliseconds)
        parameters.add(longestLease.wholeMilliseconds)
        let link = linkOfNext ?? work
        let term = try await run({ $0.acquireFreed }, parameters, timeout, mayBeEmpty: true, on: link) { result in
            result.integer(0, 1)
        }
        guard let term else { return nil }
        announceSoon(request.group, term)
        return .granted(term: term, leaseDuration: request.leaseDuration)
    }

    private func tryToAcquire(_ requests: [AcquireRequest], _ timeout: Duration) async throws -> Acquisition {
        let shortest = requests.lazy.map(\.leaseDuration).min() ?? longestLease
        var parameters = PostgresParameters()
        parameters.add(texts: requests.map(\.group.name))
        parameters.add(nonces: requests.map(\.nonce))
        parameters.add(nonces: requests.map(\.previousNonce))
        parameters.add(texts: requests.map(\.candidate.id))
        parameters.add(nonces: requests.map(\.candidate.incarnation))
        parameters.add(texts: requests.map { MetadataText.encode($0.candidate.metadata) })
        parameters.add(integers: requests.map(\.leaseDuration.wholeMilliseconds))
        parameters.add(integers: requests.map { $0.observed?.term })
        parameters.add(integers: requests.map { $0.observed?.sequence })
        parameters.add(clock.latestCredibleServerTime(at: .now, lease: shortest).map { $0 / 1000 })
        parameters.add(longestLease.wholeMilliseconds)
        return try await run({ $0.acquire }, parameters, timeout) { result in
            var outcome = Acquisition()
            for (row, request) in requests.enumerated() {
                outcome.isInUse = outcome.isInUse || result.flag(row, 3) || !result.isNull(row, 6)
                // At once, also while the lease is held: a quarantine that began only at its release would delay that one.
                outcome.mustRegister = outcome.mustRegister || !result.flag(row, 3)
                if let term = result.integer(row, 1) {
                    outcome.answers.append(.granted(term: term, leaseDuration: request.leaseDuration))
                } else if result.flag(row, 2) {
                    outcome.answers.append(Self.deferral(result, row, request.group))
                } else {
                    do {
                        outcome.answers.append(.held(try result.record(row, from: 6, isDoubted: result.flag(row, 5))))
                    } catch {
                        outcome.answers.append(.unknown(Self.naming(request.group, error)))
                    }
                }
            }
            return outcome
        }
    }

    /// Why a lease that looks free was not granted.
    private static func deferral(_ result: PQResult, _ row: Int, _ group: ElectionGroup) -> AcquireAnswer {
        if let term = result.integer(row, 6), term <= 0 || term == .max {
            let error = ElectionError(
                .storeCorrupted,
                "the last term of the lease is \(term), so that no larger one can follow; correct or delete its row",
                group: group.name
            )
            return .unknown(error)
        }
        if let wait = result.integer(row, 4), wait > 0 {
            return .deferred(
                retryAfter: .microseconds(wait),
                reason: "the database may have lost leases: it was restored, emptied, replaced, or has just begun"
            )
        }
        return .deferred(
            retryAfter: .milliseconds(25),
            reason: "the lease is being granted to another, or a transaction that is guarded by its term is open"
        )
    }

    /// Makes the record of the authority fit the database as it is now, with a quarantine if it was another one.
    func register(_ timeout: Duration) async throws {
        var parameters = PostgresParameters()
        parameters.add(longestLease.wholeMilliseconds)
        parameters.add(hasSeenAuthority)
        parameters.add(settings.quarantine)
        let wait = try await work.run({ [parameters] in $0.register.with(parameters) }, timeout: timeout) { reply in
            reply.result.integer(0, 0) ?? 0
        }
        hasSeenAuthority = true
        guard wait > 0 else { return }
        settings.logger?.notice(
            "the database may have lost leases; no lease is granted for \(Duration.microseconds(wait).text())",
            metadata: ["database": "\(settings.place)"]
        )
    }

    private func renewOnce(_ requests: [RenewRequest]) async throws -> [RenewAnswer] {
        let timeout = requests.lazy.map(\.timeout).min() ?? attemptTimeout
        var parameters = PostgresParameters()
        parameters.add(texts: requests.map(\.group.name))
        parameters.add(nonces: requests.map(\.nonce))
        parameters.add(integers: requests.map { Optional($0.term) })
        parameters.add(integers: requests.map(\.leaseDuration.wholeMilliseconds))
        return try await run({ $0.renew }, parameters, timeout) { result in
            var answers = requests.map { RenewAnswer.renewed(leaseDuration: $0.leaseDuration) }
            for row in 0..<result.rowCount {
                guard let number = result.integer(row, 1), answers.indices.contains(Int(number) - 1) else { continue }
                answers[Int(number) - 1] = .lost(try? result.record(row, from: 2, isDoubted: false))
            }
            return answers
        }
    }

    // MARK: - Statements

    /// Runs a statement whose answer begins with the server's time in every row.
    func run<Answer: Sendable>(
        _ query: @escaping PostgresLink.Text,
        _ parameters: PostgresParameters,
        _ timeout: Duration,
        mayBeEmpty: Bool = false,
        on link: PostgresLink? = nil,
        _ read: @escaping @Sendable (PQResult) throws -> Answer
    ) async throws -> Answer {
        let statement: PostgresLink.Text = { query($0).with(parameters) }
        let (answer, times) = try await (link ?? work).run(statement, timeout: timeout) { reply in
            (try read(reply.result), try Times(of: reply, mayBeEmpty: mayBeEmpty))
        }
        saw(times)
        return answer
    }

    /// When an answer was given, by the server's clock and by ours.
    struct Times: Sendable {
        /// Nil if there is nothing in the answer.
        let server: Int64?
        let sent: ElectionInstant
        let received: ElectionInstant

        init(of reply: borrowing PostgresLink.Reply, mayBeEmpty: Bool) throws {
            server = reply.result.integer(0, 0)
            guard server != nil || (mayBeEmpty && reply.result.rowCount == 0) else {
                throw ElectionError(.storeCorrupted, "the database gave an answer without its time")
            }
            sent = reply.sent
            received = reply.received
        }
    }

    func saw(_ times: Times) {
        guard let server = times.server else { return }
        let jump = clock.observe(
            serverNanoseconds: server &* 1000,
            sent: times.sent,
            received: times.received,
            longestLease: longestLease
        )
        if let jump { warnOfClock(jump) }
    }

    private static func naming(_ group: ElectionGroup, _ error: any Error) -> ElectionError {
        let error = ElectionError.wrapping(error)
        return ElectionError(error.code, error.message, group: group.name, cause: error.cause)
    }

    private func warnOfClock(_ jump: Duration) {
        let seconds = Double(jump.wholeNanoseconds / 1_000_000) / 1000
        warn(
            ElectionError(
                .storeUnsuitable,
                "the clock of \(settings.place) jumped forward by \(seconds) s; until leases from before it are over, "
                    + "each is watched for its whole time before it is taken over. Let its clock be slewed, not set"
            )
        )
    }

    func warn(_ error: ElectionError) {
        settings.logger?.warning("\(error.message)")
        subscribers.send(.warning(error))
    }

    // MARK: - Connections

    /// Hears of each new connection for statements, once there is somebody to hear of it.
    private func listenToWork() {
        guard !isObservingWork else { return }
        isObservingWork = true
        work.assumeIsolated { work in
            work.observe(
                onOpen: { [weak self] facts in self?.assumeIsolated { $0.connected(facts) } },
                onEnd: { [weak self] _ in self?.assumeIsolated { $0.disconnected() } }
            )
        }
    }

    private func disconnected() {
        guard work.assumeIsolated({ $0.isFailing }) else { return }
        push?.assumeIsolated { $0.giveWay() }
        notes.assumeIsolated { $0.giveWay() }
    }

    private func connected(_ facts: PostgresOpener.Facts) {
        server = facts.isPooled ? nil : facts.server
        push?.assumeIsolated { $0.workOpened() }
        // Another database grants nothing while leases of before may last, so that its clock needs no suspicion.
        clock.connected(to: settings.quarantine ? facts.database : nil)
        let unknown = [
            facts.authority.tellsSystem ? nil : "its system identifier (GRANT EXECUTE ON FUNCTION pg_control_system())",
            facts.authority.tellsTimeline ? nil : "its timeline",
        ].compactMap(\.self)
        guard !unknown.isEmpty, warnings.insert("authority").inserted else { return }
        warn(
            ElectionError(
                .storeUnsuitable,
                "\(settings.place) does not tell \(unknown.joined(separator: " and ")): a database that was restored or "
                    + "replaced may go unnoticed, and may grant leases that are still relied on"
            )
        )
    }

    /// Listens to what others do, from now until nobody wants to know any more.
    func startHints() {
        listenToWork()
        // An opener of its own: what waits for a slow name server must not be waited for by statements.
        let push = push ?? PostgresPush(self, PostgresOpener(settings), testChannel: testChannel)
        self.push = push
        push.assumeIsolated { $0.start() }
    }

    var groupCount: Int { groups.count }
    var knownCandidates: Int { push?.assumeIsolated { $0.knownCandidates } ?? 0 }

    /// Somebody gave a lease back.
    func heardOfRelease(of group: ElectionGroup) {
        freed[group] = groups.contains(group) ? .now : nil
    }

    /// Somebody was granted a lease.
    func heardOfGrant(of group: ElectionGroup, term: Int64) {
        freed[group] = nil
        for (other, watch) in watches where other == group { watch.assumeIsolated { $0.heard(term: term) } }
    }

    /// What was heard or granted of the group is over.
    func forget(_ group: ElectionGroup) {
        groups.remove(group)
        freed[group] = nil
        unannounced[group] = nil
    }

    /// Where one of a crowd waits behind the leader.
    var line: PostgresLine? { push?.assumeIsolated { $0.line } }

    var statementCount: Int { work.assumeIsolated { $0.statementCount } }
    var connectionAttempts: Int { work.assumeIsolated { $0.connectionAttempts } }

    func shutDown() {
        work.assumeIsolated { $0.close() }
        notes.assumeIsolated { $0.shutDown() }
        push?.assumeIsolated { $0.shutDown() }
    }
}
#endif
