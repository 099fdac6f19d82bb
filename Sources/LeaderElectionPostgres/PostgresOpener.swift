// SPDX-License-Identifier: MIT
#if Postgres
internal import LeaderElection
internal import Synchronization

/// Opens connections on a thread that may wait: names are resolved, files read and tables made here.
final class PostgresOpener: Sendable {
    /// What a new connection is for.
    enum Purpose: Sendable {
        case statements
        /// Listens to these channels.
        case listening([SQLName])
        /// For notes, whose table the others do without.
        case notes
        /// To stand in line behind a leader, and to be one before somebody who does.
        case standing
    }

    /// What was found out while a connection was opened.
    struct Facts: Sendable {
        var authority = PostgresAuthority(tellsSystem: false, tellsTimeline: false)
        /// The system and its timeline; nil where the server does not tell both.
        var database: String?
        /// When it was started: no two connections to different servers have it in common.
        var server: String?
        /// How long one statement may wait for a lock without anybody being bothered by it.
        var patienceInLine: Duration?
        var queries: PostgresQueries
        /// What the server knows by name.
        var preparedNames: Set<String> = []
        /// Somebody stands between us and the server, who may give us another one for each transaction.
        var isPooled = false
    }

    /// A connection on its way to the thread that will use it.
    final class Parcel: Sendable {
        let facts: Facts
        private let content: Mutex<PQConnection?>

        init(_ connection: sending PQConnection, _ facts: Facts) {
            content = Mutex(connection)
            self.facts = facts
        }

        func take() -> sending PQConnection? {
            content.withLock { content in
                let connection = content
                content = nil
                return connection
            }
        }
    }

    let settings: PostgresSettings
    private let thread = Mutex<SerialThread?>(nil)
    /// Poolers may refuse a client that asks for options; that is found out once.
    private let isRefusingOptions = Atomic<Bool>(false)

    init(_ settings: PostgresSettings) { self.settings = settings }

    /// Opens one connection, and calls `finish` on the engine's thread.
    func open(
        _ purpose: Purpose,
        patience: Duration,
        _ finish: @escaping @Sendable (Result<Parcel, ElectionError>) -> Void
    ) {
        let thread = thread.withLock { thread in
            let running = thread ?? SerialThread(name: "election-pq")
            thread = running
            return running
        }
        thread.execute { [self] in
            let result: Result<Parcel, ElectionError>
            do throws(PQFailure) {
                result = try .success(opened(purpose, patience: patience))
            } catch {
                result = .failure(error.electionError(settings, isAboutNotes: purpose.isNotes))
            }
            SerialThread.engine.executeNext { finish(result) }
        }
    }

    private func opened(_ purpose: Purpose, patience: Duration) throws(PQFailure) -> Parcel {
        let connection = try connect(patience)
        let deadline = ElectionInstant.now + max(patience, .seconds(2))
        var facts = Facts(
            queries: PostgresQueries(
                settings: settings,
                authority: PostgresAuthority(tellsSystem: false, tellsTimeline: false)
            )
        )
        guard connection.serverVersion >= 120_000 else {
            throw PQFailure(sqlState: PQFailure.State.tooOld, message: "version \(connection.serverVersion)")
        }
        let basics = try connection.execute(
            """
            SELECT pg_backend_pid(), pg_is_in_recovery() OR current_setting('transaction_read_only')::boolean,
                current_setting('server_encoding'), pg_postmaster_start_time()::text
            """,
            until: deadline
        )
        facts.isPooled = basics.integer(0, 0) != Int64(connection.backendProcess)
        facts.server = basics.text(0, 3)
        switch purpose {
        case .statements:
            try checkBasics(basics)
            try prepareTables(connection, until: deadline)
            try identify(connection, &facts, until: deadline)
            try prepare(facts.queries.warmUps, on: connection, &facts, until: deadline)
        case .notes:
            try checkBasics(basics)
            try prepareTables(connection, forNotes: true, until: deadline)
        case .listening(let channels):
            for channel in channels { try connection.execute("LISTEN \(channel.quoted)", until: deadline) }
        case .standing:
            let patience = try connection.execute(PostgresQueries.patienceInLine, until: deadline).integer(0, 0)
            facts.patienceInLine = patience.map { .milliseconds($0) }
            try identify(connection, &facts, until: deadline)
            try prepare(facts.queries.warmUpsInLine, on: connection, &facts, until: deadline)
        }
        try connection.startPipeline()
        return Parcel(connection, facts)
    }

    /// Finds out which database it is, and what can be asked there.
    private func identify(
        _ connection: PQConnection,
        _ facts: inout Facts,
        until deadline: ElectionInstant
    ) throws(PQFailure) {
        let system = try answer(connection, PostgresAuthority.systemQuery, until: deadline)
        let timeline = try answer(connection, PostgresAuthority.timelineQuery, until: deadline)
        let server = PostgresAuthority.Server(system: system, timeline: timeline)
        facts.authority = PostgresAuthority(tellsSystem: system != nil, tellsTimeline: timeline != nil)
        facts.database = server.name
        facts.queries = PostgresQueries(
            settings: settings,
            authority: facts.authority,
            connected: facts.isPooled ? nil : server
        )
    }

    private func prepare(
        _ statements: [PostgresStatement],
        on connection: PQConnection,
        _ facts: inout Facts,
        until deadline: ElectionInstant
    ) throws(PQFailure) {
        guard !facts.isPooled else { return }
        for statement in statements {
            // What is refused now will be refused when it matters, and told then.
            do throws(PQFailure) { try connection.prepare(statement, until: deadline) } catch {
                guard error.isConnectionLost else { continue }
                throw error
            }
            facts.preparedNames.insert(statement.name)
        }
    }

    private func checkBasics(_ basics: PQResult) throws(PQFailure) {
        guard !basics.flag(0, 1) else {
            throw PQFailure(sqlState: PQFailure.State.readOnly, message: "it is a standby, or set to read-only")
        }
        let encoding = basics.text(0, 2) ?? ""
        guard encoding == "UTF8" || encoding == "SQL_ASCII" else {
            throw PQFailure(sqlState: PQFailure.State.encoding, message: encoding)
        }
    }

    private func connect(_ patience: Duration) throws(PQFailure) -> PQConnection {
        if !isRefusingOptions.load(ordering: .relaxed) {
            do throws(PQFailure) {
                return try PQConnection.connect(settings.parameters(patience: patience, withOptions: true))
            } catch {
                guard error.message.contains("startup parameter") else { throw error }
                isRefusingOptions.store(true, ordering: .relaxed)
            }
        }
        return try PQConnection.connect(settings.parameters(patience: patience, withOptions: false))
    }

    /// What an expression is worth; nil if this server does not let this user evaluate it.
    private func answer(
        _ connection: PQConnection,
        _ expression: String,
        until deadline: ElectionInstant
    ) throws(PQFailure) -> String? {
        do throws(PQFailure) {
            return try connection.execute("SELECT \(expression)", until: deadline).text(0, 0)
        } catch {
            guard !error.isConnectionLost else { throw error }
            return nil
        }
    }

    private func prepareTables(
        _ connection: PQConnection,
        forNotes: Bool = false,
        until deadline: ElectionInstant
    ) throws(PQFailure) {
        let schema = PostgresSchema(settings: settings)
        let found = try connection.execute(schema.lookUp, until: deadline)
        if found.flag(0, forNotes ? 2 : 0) { return }
        let missing = forNotes ? PQFailure.State.noNoteTable : PQFailure.State.noTable
        guard settings.createTable else {
            throw PQFailure(sqlState: missing, message: "")
        }
        do throws(PQFailure) {
            try connection.execute(schema.script(createSchema: !found.flag(0, 1)), until: deadline)
        } catch {
            guard error.sqlState == PQFailure.State.noPermission else { throw error }
            throw PQFailure(sqlState: missing, message: error.message)
        }
    }
}

extension PostgresOpener.Purpose {
    var isNotes: Bool {
        if case .notes = self { true } else { false }
    }
}
#endif
