// SPDX-License-Identifier: MIT
#if Postgres
internal import IntegrationSupport
internal import LeaderElection
internal import Testing

@testable internal import LeaderElectionPostgres

/// A schema of its own in a server's database, gone with the body.
struct TestDatabase: Sendable {
    let schema: String
    let url: String

    static func with<Result>(
        url: String = Backend.postgres.url,
        _ body: (TestDatabase) async throws -> Result
    ) async throws -> Result {
        let database = TestDatabase(schema: "t" + Nonce().description, url: url)
        try await database.run("CREATE SCHEMA \(database.schema)")
        do {
            let result = try await body(database)
            try await database.run("DROP SCHEMA IF EXISTS \(database.schema) CASCADE")
            return result
        } catch {
            _ = try? await database.run("DROP SCHEMA IF EXISTS \(database.schema) CASCADE")
            throw error
        }
    }

    var table: String { "\(schema).leader_election_lease" }
    var authority: String { "\(schema).leader_election_authority" }
    var note: String { "\(schema).leader_election_note" }

    func provider(
        url: String? = nil,
        createTable: Bool = true,
        quarantine: Bool = true
    ) throws -> PostgresElectionProvider {
        try PostgresElectionProvider(
            url ?? self.url,
            schema: schema,
            createTable: createTable,
            quarantine: quarantine
        )
    }

    /// A user who may do what `elect` may, on so many connections; with a session of somebody who may drop it.
    func user(connections: Int) async throws -> (name: String, admin: TestSession) {
        let admin = TestSession(url.replacing("elect:elect-secret", with: "admin:admin-secret"))
        let name = "limited_\(schema)"
        try await admin.run("CREATE ROLE \(name) LOGIN PASSWORD 'secret' CONNECTION LIMIT \(connections) IN ROLE elect")
        return (name, admin)
    }

    /// Runs SQL on a connection of its own; the first column of the first row.
    @discardableResult
    func run(_ sql: String) async throws -> String? { try await TestSession(url).run(sql) }
}

extension PQConnection {
    static func connect(to url: String) throws -> PQConnection {
        try connect((parse(url) ?? [:]).map { ($0.key, $0.value) })
    }
}

/// One connection that runs what a test says, on a thread that may wait.
actor TestSession {
    private nonisolated let thread = SerialThread(name: "test-session")
    private let url: String
    private var connection: PQConnection?
    private var heard: [PQConnection.Notification] = []

    nonisolated var unownedExecutor: UnownedSerialExecutor { thread.asUnownedSerialExecutor() }

    init(_ url: String) { self.url = url }

    @discardableResult
    func run(_ sql: String) throws -> String? {
        if connection == nil { connection = try PQConnection.connect(to: url) }
        let result = try connection?.execute(sql, until: .now + .seconds(30))
        guard let result, result.rowCount > 0 else { return nil }
        return result.text(0, 0)
    }

    /// All that this session was notified of so far, if it listens.
    func notifications() throws -> [PQConnection.Notification] {
        // The server delivers before it says that it is ready for the next statement.
        try run("SELECT 1")
        while let notification = connection?.nextNotification() { heard.append(notification) }
        return heard
    }

    func close() { connection = nil }
}
#endif
