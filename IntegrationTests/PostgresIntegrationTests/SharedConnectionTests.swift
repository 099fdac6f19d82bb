// SPDX-License-Identifier: MIT
#if Postgres
internal import IntegrationSupport
internal import LeaderElection
internal import LeaderElectionPostgres
internal import Testing

/// Notes on the connection for notifications: two connections are enough, and neither use disturbs the other.
@Suite(.timeLimit(.minutes(2)))
struct SharedConnectionTests {
    /// A process that leads nothing yet and listens, with its connections counted.
    private struct Listener {
        let database: TestDatabase
        let contender: Contender
        let hints: Hints
        let notes: Notes
        private let name = "test-\(Nonce().description.prefix(12))"

        init(_ database: TestDatabase, user: String = "elect:elect-secret") async throws {
            let url = database.url.replacing("elect:elect-secret", with: user) + "?application_name=\(name)"
            var contender = try Contender("listener", try database.provider(url: url))
            // What a statement that waits for a lock is given by the server is shorter than this.
            contender.timeout = .seconds(1)
            self.contender = contender
            self.database = database
            notes = Notes(contender.provider)
            // The tables are made by a statement.
            _ = try await contender.acquireSoon()
            hints = Hints(of: contender.provider)
        }

        var connections: String? {
            get async throws {
                try await database.run("SELECT count(*) FROM pg_stat_activity WHERE application_name = '\(name)'")
            }
        }

        /// Whether a release by somebody else is heard of.
        func hearsRelease(of group: String) async throws -> Bool {
            let other = try Contender("other", try database.provider(), group: group)
            let term = try await other.acquireSoon()
            #expect(try await other.release(term: term).isReleased)
            return try await eventually { hints.releases(of: other.group) > 0 }
        }
    }

    @Test(.needs(.postgres)) func notesAndNotificationsShareAConnection() async throws {
        try await TestDatabase.with { database in
            let listener = try await Listener(database)
            for number in 0..<20 { try await listener.notes.write("key-\(number)", "text") }
            #expect(try await eventually { listener.hints.resyncs == 1 })
            #expect(try await listener.connections == "2")
            #expect(try await listener.hearsRelease(of: "another"))
            #expect(try await listener.notes.all().count == 20)
            try await listener.notes.remove("key-0")
            #expect(try await listener.notes.all().count == 19)
            #expect(try await listener.connections == "2")
        }
    }

    @Test(.needs(.postgres)) func aConnectionForNotesAloneGoesWhenThereIsAnother() async throws {
        try await TestDatabase.with { database in
            let provider = try database.provider(url: database.url + "?application_name=\(database.schema)")
            let notes = Notes(provider)
            try await notes.write("a", "text")
            let count = "SELECT count(*) FROM pg_stat_activity WHERE application_name = '\(database.schema)'"
            #expect(try await database.run(count) == "1")
            var hints: Hints? = Hints(of: provider)
            #expect(try await eventually { hints?.resyncs ?? 0 > 0 })
            // One for notifications, and one for statements, through which they are tested.
            #expect(try await eventually { try await database.run(count) == "2" })
            try await notes.write("b", "text")
            #expect(try await database.run(count) == "2")
            hints = nil
            try await notes.write("c", "text")
            #expect(try await notes.all() == ["a: text", "b: text", "c: text"])
        }
    }

    @Test(.needs(.postgres)) func whoMayHaveTwoConnectionsKeepsNotesAndHearsOfReleases() async throws {
        try await TestDatabase.with { database in
            // Whose tables they are.
            try await Notes(database.provider()).write("a", "text")
            let (user, admin) = try await database.user(connections: 2)
            let listener = try await Listener(database, user: "\(user):secret")
            try await listener.notes.write("b", "text")
            #expect(try await listener.hearsRelease(of: "another"))
            try await listener.notes.write("c", "text")
            #expect(try await listener.notes.all() == ["a: text", "b: text", "c: text"])
            #expect(listener.hints.warnings.isEmpty)
            try await admin.run("DROP ROLE \(user)")
        }
    }

    @Test(.needs(.postgres)) func theOnlyConnectionIsForStatements() async throws {
        try await TestDatabase.with { database in
            // Whose tables they are.
            try await Notes(database.provider()).write("a", "text")
            let (user, admin) = try await database.user(connections: 1)
            let url = database.url.replacing("elect:elect-secret", with: "\(user):secret")
            for round in 0..<4 {
                let contender = try Contender("candidate", try database.provider(url: url), group: "group \(round)")
                let (hints, notes) = (Hints(of: contender.provider), Notes(contender.provider))
                async let refusal = round % 2 == 0 ? nil : notes.refusal()
                // Whatever came first: from then on it is renewed, and nothing else takes its connection.
                let term = try await contender.acquireSoon()
                #expect(try await contender.renewSoon(term: term).isRenewed)
                #expect(try await contender.release(term: term).isReleased)
                #expect(hints.resyncs == 0)
                _ = await refusal
            }
            try await admin.run("DROP ROLE \(user)")
        }
    }

    @Test(.needs(.postgres)) func notificationsGiveWayToStatementsThatLostTheirConnection() async throws {
        try await TestDatabase.with { database in
            // Whose tables they are.
            _ = try await Contender("owner", try database.provider(), group: "another").acquireSoon()
            let (user, admin) = try await database.user(connections: 2)
            let listener = try await Listener(database, user: "\(user):secret")
            #expect(try await listener.hearsRelease(of: "a third"))
            try await admin.run("ALTER ROLE \(user) CONNECTION LIMIT 1")
            // Those who listen hold a lock together, by which they are counted.
            let terminate = """
                SELECT count(pg_terminate_backend(pid)) FROM pg_stat_activity AS a WHERE usename = '\(user)'
                    AND pid NOT IN (SELECT l.pid FROM pg_locks l WHERE l.locktype = 'advisory')
                """
            #expect(try await eventually { try await admin.run(terminate) == "1" })
            let contender = listener.contender
            let isAnswered = { (try? await contender.provider.holders(of: [contender.group])) != nil }
            #expect(try await eventually { await isAnswered() })
            #expect(listener.hints.resyncs == 1)
            try await admin.run("ALTER ROLE \(user) CONNECTION LIMIT 2")
            #expect(try await eventually { listener.hints.resyncs == 2 })
            #expect(try await listener.hearsRelease(of: "a fourth"))
            try await admin.run("DROP ROLE \(user)")
        }
    }

    @Test(.needs(.postgres)) func aLockedTableOfNotesEndsNoConnectionAndHoldsUpNoNotification() async throws {
        try await TestDatabase.with { database in
            let listener = try await Listener(database)
            try await listener.notes.write("a", "text")
            let session = TestSession(database.url)
            try await session.run("BEGIN")
            try await session.run("LOCK TABLE \(database.note) IN ACCESS EXCLUSIVE MODE")
            let error = try #require(await listener.notes.refusal())
            #expect(error.code == .timedOut && error.message.contains("table of notes locked"))
            // From now on apart from the notifications, which would wait behind it.
            async let pending: Void = listener.notes.write("b", "text", timeout: .seconds(60))
            #expect(try await eventually { try await listener.connections == "3" })
            #expect(try await listener.hearsRelease(of: "another"))
            #expect(try await listener.hearsRelease(of: "a third"))
            try await session.run("ROLLBACK")
            try await pending
            #expect(try await eventually { try await listener.connections == "2" })
            #expect(try await listener.notes.all() == ["a: text", "b: text"])
            #expect(listener.hints.resyncs == 1)
        }
    }

    @Test(.needs(.postgres)) func aTableThatIsGoneIsMadeAgainWithoutEndingTheConnection() async throws {
        try await TestDatabase.with { database in
            let listener = try await Listener(database)
            try await listener.notes.write("a", "text")
            for text in ["first", "second"] {
                try await database.run("DROP TABLE \(database.note)")
                try await listener.notes.write("b", text)
                #expect(try await listener.notes.all() == ["b: \(text)"])
            }
            #expect(try await listener.hearsRelease(of: "another"))
            #expect(try await eventually { try await listener.connections == "2" })
            #expect(listener.hints.resyncs == 1)
        }
    }

    @Test(.needs(.postgres)) func aNoteThatIsCancelledLeavesTheConnectionAsItIs() async throws {
        try await TestDatabase.with { database in
            let listener = try await Listener(database)
            try await listener.notes.write("a", "text")
            let session = TestSession(database.url)
            try await session.run("BEGIN")
            try await session.run("LOCK TABLE \(database.note) IN ACCESS EXCLUSIVE MODE")
            let writing = Task { try await listener.notes.write("b", "text") }
            let waiting = "SELECT count(*) FROM pg_locks WHERE relation = '\(database.note)'::regclass AND NOT granted"
            #expect(try await eventually { try await database.run(waiting) == "1" })
            writing.cancel()
            await #expect(throws: CancellationError.self) { try await writing.value }
            try await session.run("ROLLBACK")
            try await listener.notes.write("c", "text")
            #expect(try await listener.hearsRelease(of: "another"))
            #expect(try await listener.connections == "2")
            #expect(listener.hints.resyncs == 1)
        }
    }
}
#endif
