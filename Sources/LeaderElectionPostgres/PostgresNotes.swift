// SPDX-License-Identifier: MIT
#if Postgres
internal import LeaderElection

/// The notes beside the leases, on the connection for notifications while there is one, or else on one of their own.
///
/// Renewals stand in one line with everything else on their connection. A table of notes that somebody locks, or a
/// missing permission for it, must not hold them up, nor end their connection. Notifications, too, would come late behind
/// notes that wait: after a failure these are on their own, until one succeeds there.
actor PostgresNotes {
    /// Opened when it is wanted, and closed when the other will do, or after a while without use.
    private nonisolated let own: PostgresLink
    private nonisolated let queries: PostgresNoteQueries
    /// The connection for notifications.
    private var shared: PostgresLink?
    /// Whether the last attempt on the shared connection failed, and none on the own one has succeeded since.
    private var mustBeAlone = false
    /// How long the last caller was ready to wait; a reading has no time-out of its own and gets this one.
    private var timeout = Duration.seconds(2)
    private var lastUse = ElectionInstant.distantPast
    /// On the own connection.
    private var underWay = 0
    private var idleTimer: SerialThread.Timer?
    private var sweepTimer: SerialThread.Timer?
    /// What the notes of each group came to at the last look.
    private var fingerprints: [ElectionGroup: Int64] = [:]

    nonisolated var unownedExecutor: UnownedSerialExecutor { SerialThread.engine.asUnownedSerialExecutor() }

    /// Longer than the pause between two writings of a candidate.
    private static let idleTime = Duration.seconds(60)

    init(_ settings: PostgresSettings) {
        // An opener of its own as well: it waits for what it opens.
        own = PostgresLink(PostgresOpener(settings), .notes)
        queries = PostgresNoteQueries(settings)
    }

    // MARK: - Verbs

    private struct Name: Hashable {
        let group: ElectionGroup
        let key: String
    }

    func write(_ requests: [NoteRequest]) async throws -> [NoteAnswer] {
        for request in requests { try request.validate() }
        guard !requests.isEmpty else { return [] }
        // Of several for the same note the last one counts; no statement may write a row twice.
        var last: [Name: Int] = [:]
        var news: Set<ElectionGroup> = []
        for (index, request) in requests.enumerated() {
            last[Name(group: request.group, key: request.key)] = index
            if request.isNews { news.insert(request.group) }
        }
        let written = last.values.sorted().map { requests[$0] }
        var parameters = PostgresParameters()
        parameters.add(texts: written.map(\.group.name))
        parameters.add(texts: written.map(\.key))
        parameters.add(texts: written.map(\.text))
        parameters.add(integers: written.map(\.lifetime.wholeMilliseconds))
        parameters.add(texts: news.map(\.name))
        return try await run(queries.write, parameters, requests.lazy.map(\.timeout).min()) { _ in
            requests.map { _ in .done }
        }
    }

    func remove(_ requests: [NoteRemoval]) async throws -> [NoteAnswer] {
        for request in requests { try request.validate() }
        guard !requests.isEmpty else { return [] }
        var parameters = PostgresParameters()
        parameters.add(texts: requests.map(\.group.name))
        parameters.add(texts: requests.map(\.key))
        return try await run(queries.remove, parameters, requests.lazy.map(\.timeout).min()) { _ in
            requests.map { _ in .done }
        }
    }

    func notes(of groups: [ElectionGroup]) async throws -> [NotesAnswer] {
        guard !groups.isEmpty else { return [] }
        var parameters = PostgresParameters()
        parameters.add(texts: groups.map(\.name))
        return try await run(queries.read, parameters, nil) { result in
            var notes = groups.map { _ in [GroupNote]() }
            for row in 0..<result.rowCount {
                guard let number = result.integer(row, 0), notes.indices.contains(Int(number) - 1),
                    let key = result.text(row, 1), let text = result.text(row, 2)
                else { throw ElectionError(.storeCorrupted, "the table of notes gave a row that no election writes") }
                notes[Int(number) - 1].append(GroupNote(key: key, text: text))
            }
            return notes.map { .found($0) }
        }
    }

    // MARK: - Where nothing is pushed

    /// Looks, with one statement, which of these groups have other notes than at the last look, and tells of each.
    func look(at groups: [ElectionGroup], _ tell: @escaping @Sendable (ElectionGroup) -> Void) {
        // Who has no use for notes must not be the one that makes their table.
        guard lastUse > .distantPast, !groups.isEmpty else { return }
        var parameters = PostgresParameters()
        parameters.add(texts: groups.map(\.name))
        let statement = queries.fingerprints.with(parameters)
        let timeout = timeout
        let link = link
        let role: PostgresLink.Role = link === own ? .resident : .guest
        lastUse = .now
        if role == .resident { watchForIdleness() }
        link.assumeIsolated { link in
            link.run({ _ in statement }, as: role, timeout: timeout) { [weak self] outcome in
                guard case .success(let reply) = outcome else { return }
                let found = reply.result.integers(of: groups)
                self?.assumeIsolated { $0.saw(found, of: groups, tell) }
            }
        }
    }

    private func saw(_ found: [ElectionGroup: Int64], of groups: [ElectionGroup], _ tell: (ElectionGroup) -> Void) {
        let former = fingerprints
        fingerprints = found
        for group in groups where found[group] != former[group] { tell(group) }
    }

    // MARK: - The connection

    /// Shares a connection from now on; nil if there is none any more.
    func share(_ link: PostgresLink?) {
        shared = link
        closeIfIdle()
    }

    private var link: PostgresLink { (mustBeAlone ? nil : shared) ?? own }

    private func run<Answer: Sendable>(
        _ statement: PostgresStatement,
        _ parameters: PostgresParameters,
        _ timeout: Duration?,
        _ read: @escaping @Sendable (PQResult) throws -> Answer
    ) async throws -> Answer {
        if let timeout { self.timeout = timeout }
        sweepLater()
        defer { lastUse = .now }
        let statement = statement.with(parameters)
        let link = link
        guard link !== own else { return try await runAlone(statement, read) }
        do {
            return try await link.run({ _ in statement }, as: .guest, timeout: self.timeout) { try read($0.result) }
        } catch let error as ElectionError {
            mustBeAlone = true
            // It may be enough to make the table, which is done where a connection is opened for notes. To say the same
            // again does no harm; there is no time for it after a time-out.
            guard error.code != .timedOut else { throw error }
            return try await runAlone(statement, read)
        }
    }

    private func runAlone<Answer: Sendable>(
        _ statement: PostgresStatement,
        _ read: @escaping @Sendable (PQResult) throws -> Answer
    ) async throws -> Answer {
        underWay += 1
        watchForIdleness()
        defer {
            underWay -= 1
            closeIfIdle()
        }
        let answer = try await own.run({ _ in statement }, timeout: timeout) { try read($0.result) }
        mustBeAlone = false
        return answer
    }

    /// Keeps no third connection while two will do.
    private func closeIfIdle() {
        if link !== own { giveWay() }
    }

    /// The connection for statements cannot be had: perhaps because of this one.
    func giveWay() {
        if underWay == 0 { own.assumeIsolated { $0.hangUp() } }
    }

    private func watchForIdleness() {
        guard idleTimer == nil else { return }
        idleTimer = SerialThread.engine.schedule(at: .now + Self.idleTime) { [weak self] in
            self?.assumeIsolated { $0.lookForIdleness() }
        }
    }

    private func lookForIdleness() {
        idleTimer = nil
        guard own.assumeIsolated({ $0.isOpen }) else { return }
        if underWay == 0, .now - lastUse >= Self.idleTime * 0.9 {
            own.assumeIsolated { $0.hangUp() }
        } else {
            watchForIdleness()
        }
    }

    /// Now and then, notes are forgotten of groups to which nobody writes any more.
    private func sweepLater() {
        guard sweepTimer == nil else { return }
        sweepTimer = SerialThread.engine.schedule(at: .now + .seconds(Double.random(in: 60...3600))) { [weak self] in
            self?.assumeIsolated { notes in
                notes.sweepTimer = nil
                notes.sweep()
            }
        }
    }

    func sweep() {
        let statement = queries.sweep
        let timeout = timeout
        link.assumeIsolated { link in
            guard link.isOpen else { return }
            // If it fails, the next one may succeed; nobody waits for either.
            link.run({ _ in statement }, as: .guest, timeout: timeout) { _ in }
        }
    }

    func shutDown() {
        idleTimer?.cancel()
        sweepTimer?.cancel()
        own.assumeIsolated { $0.close() }
    }
}
#endif
