// SPDX-License-Identifier: MIT
#if Postgres
internal import Foundation
internal import IntegrationSupport
internal import LeaderElection
internal import LeaderElectionPostgres
internal import Testing

/// Databases that were set up before there were notes, and users who may not do everything.
@Suite(.timeLimit(.minutes(2)))
struct NoteAccessTests {
    private func definition(in error: ElectionError) throws -> String {
        let first = try #require(error.message.range(of: "CREATE TABLE"))
        let last = try #require(error.message.range(of: ");", options: .backwards))
        return String(error.message[first.lowerBound..<last.upperBound])
    }

    @Test(.needs(.postgres)) func anOldDatabaseGetsTheTableOnDemand() async throws {
        try await TestDatabase.with { database in
            let old = try Contender("old", try database.provider())
            let term = try await old.acquireSoon()
            try await database.run("DROP TABLE \(database.note)")
            let notes = try Notes(database.provider())
            try await notes.write("a", "text")
            #expect(try await notes.all() == ["a: text"])
            #expect(try await old.renew(term: term).isRenewed)
            // Dropped once more, under a connection that has used it.
            try await database.run("DROP TABLE \(database.note)")
            #expect(try await eventually { await notes.refusal() == nil })
            #expect(try await old.renew(term: term).isRenewed)
        }
    }

    @Test(.needs(.postgres)) func withoutTheTableElectionsGoOnAndTheErrorHoldsIt() async throws {
        try await TestDatabase.with { database in
            let owner = try Contender("owner", try database.provider(), group: "other")
            #expect(try await owner.acquireSoon() > 0)
            try await database.run("DROP TABLE \(database.note)")
            try await database.run("GRANT USAGE ON SCHEMA \(database.schema) TO guest")
            try await database.run("GRANT SELECT, INSERT, UPDATE ON \(database.table), \(database.authority) TO guest")
            let guest = database.url.replacing("elect:elect-secret", with: "guest:guest-secret")
            for createTable in [true, false] {
                let provider = try database.provider(url: guest, createTable: createTable)
                let contender = try Contender("guest", provider, group: "group \(createTable)")
                let notes = Notes(provider)
                let term = try await contender.acquireSoon()
                let error = try #require(await notes.refusal())
                #expect(error.code == .storeRefused)
                #expect(error.message.contains("may not make it") == createTable)
                await #expect(throws: ElectionError.self) { try await notes.all() }
                await #expect(throws: ElectionError.self) { try await notes.remove("a") }
                #expect(await contender.provider.connectionAttempts == 1)
                #expect(try await contender.renew(term: term).isRenewed)

                try await database.run(try definition(in: error))
                #expect(
                    try await eventually {
                        await notes.refusal()?.message.contains("GRANT SELECT, INSERT, UPDATE, DELETE ON") == true
                    }
                )
                try await database.run("GRANT SELECT, INSERT, UPDATE ON \(database.note) TO guest")
                let unfinished = try #require(await notes.refusal())
                #expect(unfinished.message.contains("DELETE ON \"\(database.schema)\".\"leader_election_note\""))
                try await database.run("GRANT DELETE ON \(database.note) TO guest")
                #expect(try await eventually { await notes.refusal() == nil })
                #expect(try await contender.release(term: term).isReleased)
                try await database.run("DROP TABLE \(database.note)")
            }
        }
    }

    @Test(.needs(.postgres)) func theDefinitionOfANewDatabaseHoldsAllTables() async throws {
        try await TestDatabase.with { database in
            let contender = try Contender("candidate", try database.provider(createTable: false))
            let notes = Notes(contender.provider)
            let error = try #require(await contender.refusal())
            try await database.run(try definition(in: error))
            #expect(try await contender.acquireSoon() > 0)
            #expect(try await eventually { await notes.refusal() == nil })
        }
    }

    @Test(.needs(.postgres)) func aFirstNoteMakesAllTables() async throws {
        try await TestDatabase.with { database in
            let notes = try Notes(database.provider())
            #expect(try await notes.all() == [])
            try await notes.write("a", "text")
            #expect(try await Contender("candidate", notes.provider).acquireSoon() > 0)
        }
    }

    @Test func aServerThatDoesNotRunIsUnavailable() async throws {
        let notes = Notes(try PostgresElectionProvider("postgres://user:hunter2@127.0.0.1:1/elections"))
        let error = await notes.refusal()
        #expect(error?.code == .storeUnavailable)
        #expect(error?.message.contains("hunter2") == false)
    }

    @Test(.needs(.postgres, .pgbouncer)) func notesPassAPooler() async throws {
        try await TestDatabase.with { database in
            let pooled = try Notes(database.provider(url: Backend.pgbouncer.url))
            for round in 0..<20 { try await pooled.write("a", "text \(round)", isNews: round % 2 == 0) }
            #expect(try await pooled.all() == ["a: text 19"])
            // What is set for one transaction of a pooled connection must not stay for the next one.
            let session = TestSession(Backend.pgbouncer.url)
            for _ in 0..<5 { #expect(try await session.run("SHOW synchronous_commit") != "off") }
        }
    }
}
#endif
