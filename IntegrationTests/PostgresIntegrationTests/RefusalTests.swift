// SPDX-License-Identifier: MIT
#if Postgres
internal import Foundation
internal import IntegrationSupport
internal import LeaderElection
internal import LeaderElectionPostgres
internal import Testing

/// What keeps a client out: one clear error, no secret in it, and recovery without a new provider.
@Suite(.timeLimit(.minutes(2)))
struct RefusalTests {
    private static let url = Backend.postgres.url

    private func refusal(_ url: String) async throws -> ElectionError? {
        try await Contender("candidate", try PostgresElectionProvider(url)).refusal()
    }

    @Test(.needs(.postgres)) func aWrongPasswordIsToldWithoutIt() async throws {
        let error = try await refusal(Self.url.replacing("elect-secret", with: "hunter2"))
        #expect(error?.code == .storeRefused)
        #expect(error?.message.contains("password") == true)
        #expect(error?.message.contains("hunter2") == false)
    }

    @Test(.needs(.postgres)) func anUnknownDatabaseIsNamed() async throws {
        let error = try await refusal(Self.url.replacing("/elections", with: "/nowhere"))
        #expect(error?.code == .storeRefused)
        #expect(error?.message.contains("\"nowhere\"") == true)
    }

    @Test func anUnknownHostIsNamed() async throws {
        let error = try await refusal("postgres://user:hunter2@nowhere.invalid/elections")
        #expect(error?.code == .storeUnavailable)
        #expect(error?.message.contains("nowhere.invalid") == true)
        #expect(error?.message.contains("hunter2") == false)
    }

    @Test func aServerThatDoesNotRunIsUnavailable() async throws {
        let error = try await refusal("postgres://user:hunter2@127.0.0.1:1/elections")
        #expect(error?.code == .storeUnavailable)
        #expect(error?.message.contains("127.0.0.1:1") == true)
    }

    @Test(.needs(.postgres)) func aCertificateIsVerifiedIfTheURISaysSo() async throws {
        try await TestDatabase.with { database in
            let verified = database.url + "?sslmode=verify-full&sslrootcert=\(Backend.certificateAuthority)"
            #expect(try await Contender("candidate", try database.provider(url: verified)).acquire().term != nil)
            let own = FileManager.default.temporaryDirectory.appending(path: "no-authority-\(Nonce()).crt")
            #expect(FileManager.default.createFile(atPath: own.path, contents: Data()))
            defer { try? FileManager.default.removeItem(at: own) }
            let unverified = database.url + "?sslmode=verify-full&sslrootcert=\(own.path)"
            let error = try await Contender("candidate", try database.provider(url: unverified)).refusal()
            #expect(error?.code == .storeRefused)
            #expect(error?.message.contains("sslrootcert") == true)
        }
    }

    @Test(.needs(.postgres)) func whileAnAttemptIsHeldBackCallsFailAtOnceWithTheCause() async throws {
        let provider = try PostgresElectionProvider(Self.url.replacing("elect-secret", with: "hunter2"))
        let contender = try Contender("candidate", provider)
        var errors: Set<ElectionError?> = []
        for _ in 0..<200 { errors.insert(await contender.refusal()) }
        #expect(errors.count == 1)
        // At most a handful of attempts for two hundred calls.
        #expect(await provider.connectionAttempts < 10)
    }

    @Test(.needs(.postgres)) func missingTablesAreAskedForInSQL() async throws {
        try await TestDatabase.with { database in
            let contender = try Contender("candidate", try database.provider(createTable: false))
            let error = try #require(await contender.refusal())
            #expect(error.code == .storeRefused)
            let first = try #require(error.message.range(of: "CREATE TABLE"))
            let last = try #require(error.message.range(of: ");", options: .backwards))
            // As the owner would, who copies it out of the message.
            try await database.run(String(error.message[first.lowerBound..<last.upperBound]))
            #expect(try await contender.acquireSoon() > 0)
        }
    }

    @Test(.needs(.postgres)) func whoMayNotCreateIsToldWhatToCreate() async throws {
        try await TestDatabase.with { database in
            try await database.run("GRANT USAGE ON SCHEMA \(database.schema) TO guest")
            let guest = database.url.replacing("elect:elect-secret", with: "guest:guest-secret")
            let contender = try Contender("guest", try database.provider(url: guest))
            let refused = try #require(await contender.refusal())
            #expect(refused.code == .storeRefused)
            #expect(refused.message.contains("CREATE TABLE IF NOT EXISTS \"\(database.schema)\""))
            #expect(try await Contender("owner", try database.provider(), group: "other").acquire().term != nil)
            #expect(
                try await eventually {
                    await contender.refusal()?.message.contains("GRANT SELECT, INSERT, UPDATE") == true
                }
            )
            try await database.run("GRANT SELECT, INSERT, UPDATE ON \(database.table), \(database.authority) TO guest")
            let term = try await contender.acquireSoon()
            try await database.run("REVOKE UPDATE ON \(database.table) FROM guest")
            await #expect(throws: ElectionError.self) { try await contender.renew(term: term) }
            try await database.run("GRANT UPDATE ON \(database.table) TO guest")
            #expect(try await contender.renewSoon(term: term).isRenewed)
        }
    }

    @Test(.needs(.postgres)) func aDatabaseThatTakesNoWritesIsRefused() async throws {
        let url = Self.url + "?options=-c%20default_transaction_read_only%3Don"
        let error = try await refusal(url)
        #expect(error?.code == .storeRefused)
        #expect(error?.message.contains("primary") == true)
    }

    @Test(.needs(.postgres)) func namesAreTakenAsTheyAre() async throws {
        try await TestDatabase.with { database in
            let table = "odd \"name'; DROP SCHEMA \(database.schema.prefix(8)) \\"
            let names = try (0..<2).map { _ in
                try PostgresElectionProvider(database.url, schema: database.schema, table: table, channel: "a\"b'c\\")
            }
            let first = try Contender("first", names[0])
            let second = try Contender("second", names[1])
            let hints = Hints(of: names[1])
            let term = try #require(try await first.acquire().term)
            #expect(try await second.acquire().record?.term == term)
            #expect(try await eventually { hints.resyncs > 0 })
            #expect(try await first.release(term: term).isReleased)
            #expect(try await eventually { hints.changes(of: first.group) > 0 })
            #expect(try await second.acquire().term ?? 0 > term)
        }
    }
}
#endif
