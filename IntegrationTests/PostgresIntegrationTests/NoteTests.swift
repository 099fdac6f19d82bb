// SPDX-License-Identifier: MIT
#if Postgres
internal import IntegrationSupport
internal import LeaderElection
internal import Testing

@testable internal import LeaderElectionPostgres

/// The table of notes: what is in it, for how long, and who is told.
@Suite(.timeLimit(.minutes(2)))
struct NoteTests {
    @Test(.needs(.postgres)) func aNoteIsKeptReplacedAndForgotten() async throws {
        try await TestDatabase.with { database in
            let (one, other) = (try Notes(database.provider()), try Notes(database.provider()))
            try await one.write("b", "first")
            try await one.write("a", "it's \"quoted\" \\ {é}\n")
            #expect(try await other.all() == ["a: it's \"quoted\" \\ {é}\n", "b: first"])
            try await one.write("b", "second")
            try await other.remove("a")
            try await other.remove("never-there")
            #expect(try await one.all() == ["b: second"])
            try await one.write("c", "short", lifetime: .milliseconds(200))
            #expect(try await other.all() == ["b: second", "c: short"])
            #expect(try await eventually { try await other.all() == ["b: second"] })
            // Its row goes with the next note of the group, and that of another group stays.
            try await one.write("c", "short", lifetime: .milliseconds(1), group: "another")
            try await one.write("d", "last")
            #expect(try await database.run("SELECT string_agg(key, ' ' ORDER BY key) FROM \(database.note)") == "b c d")
            try await one.write("b", "third", isNews: false)
            #expect(try await other.all() == ["b: third", "d: last"])
        }
    }

    @Test(.needs(.postgres)) func ofSeveralForTheSameNoteTheLastCounts() async throws {
        try await TestDatabase.with { database in
            let provider = try database.provider()
            let groups = try (0..<256).map { try ElectionGroup("group \($0)") }
            func request(_ group: ElectionGroup, _ key: String, _ text: String) -> NoteRequest {
                NoteRequest(
                    group: group,
                    key: key,
                    text: text,
                    lifetime: .seconds(30),
                    isNews: false,
                    timeout: .seconds(5)
                )
            }
            var requests = groups.map { request($0, "key", String(repeating: "x", count: 8192)) }
            requests.append(request(groups[2], "key", "later"))
            let answers = try await provider.write(requests)
            #expect(answers.count { if case .done = $0 { true } else { false } } == 257)
            let found = try await provider.notes(of: groups + [groups[2], try ElectionGroup("none")])
            let sizes: [[Int]] = found.map { answer in
                guard case .found(let notes) = answer else { return [] }
                return notes.map(\.text.utf8.count)
            }
            #expect(Array(sizes.prefix(3)) == [[8192], [8192], [5]] && Array(sizes.suffix(2)) == [[5], []])
        }
    }

    @Test(.needs(.postgres)) func onlyNewsIsToldAndItSaysNothingAboutTheLease() async throws {
        try await TestDatabase.with { database in
            let (one, other) = (try Notes(database.provider()), try Notes(database.provider()))
            let hints = Hints(of: other.provider)
            #expect(try await eventually { hints.resyncs > 0 })
            let group = try ElectionGroup("group")
            try await one.write("a", "repeated", isNews: false)
            try await one.write("a", "news")
            #expect(try await eventually { hints.changes(of: group) > 0 })
            try await one.write("a", "repeated", isNews: false)
            try await one.write("a", "news", group: "next")
            #expect(try await eventually { try hints.changes(of: ElectionGroup("next")) > 0 })
            #expect(hints.all.filter { $0.group == group } == [.noted(group)])
            // The lease is free, as before.
            #expect(try await Contender("candidate", other.provider).acquireSoon() > 0)
        }
    }

    @Test(.needs(.postgres)) func aNoteDoesNotHideARelease() async throws {
        try await TestDatabase.with { database in
            let holder = try Contender("holder", try database.provider())
            let waiting = try Contender("waiting", try database.provider())
            let hints = Hints(of: waiting.provider)
            let term = try await holder.acquireSoon()
            #expect(try await waiting.acquire().record?.term == term)
            #expect(try await eventually { hints.resyncs > 0 })
            #expect(try await holder.release(term: term).isReleased)
            try await Notes(holder.provider).write("a", "news")
            #expect(try await eventually { hints.all.contains(.noted(holder.group)) })
            #expect(await waiting.provider.store.freed[holder.group] != nil)
            #expect(try await waiting.acquire().term ?? 0 > term)
        }
    }

    @Test(.needs(.postgres)) func writingAgainStaysInThePageAndTouchesNoIndex() async throws {
        try await TestDatabase.with { database in
            let notes = Notes(try database.provider())
            let text = String(repeating: "x", count: 300)
            let share = """
                SELECT n_tup_upd > 100 AND n_tup_hot_upd >= 0.9 * n_tup_upd FROM pg_stat_user_tables
                WHERE relid = '\(database.note)'::regclass
                """
            try await notes.write("a", text)
            // The server counts with a delay, and an old transaction of another test may keep pages full for a while.
            #expect(
                try await eventually {
                    for _ in 0..<20 { try await notes.write("a", text, isNews: false) }
                    return try await database.run(share) == "t"
                }
            )
        }
    }

    @Test(.needs(.postgres)) func onlyNewsWaitsForTheDisk() async throws {
        try await TestDatabase.with { database in
            let notes = Notes(try database.provider(url: database.url + "?options=-c%20synchronous_commit%3Don"))
            try await notes.write("a", "text")
            // Deferred triggers run at the commit, and see what it will go by.
            try await database.run(
                """
                CREATE TABLE \(database.schema).seen (n serial, setting text);
                CREATE FUNCTION \(database.schema).see() RETURNS trigger LANGUAGE plpgsql AS
                $$ BEGIN INSERT INTO \(database.schema).seen (setting) VALUES (current_setting('synchronous_commit'));
                RETURN NULL; END $$;
                CREATE CONSTRAINT TRIGGER see AFTER UPDATE OR DELETE ON \(database.note) DEFERRABLE INITIALLY DEFERRED
                FOR EACH ROW EXECUTE FUNCTION \(database.schema).see()
                """
            )
            try await notes.write("a", "text", isNews: false)
            try await notes.write("a", "text", isNews: true)
            try await notes.write("a", "text", isNews: false)
            try await notes.remove("a")
            let seen = try await database.run("SELECT string_agg(setting, ' ' ORDER BY n) FROM \(database.schema).seen")
            #expect(seen == "off on off off")
        }
    }

    @Test(.needs(.postgres)) func thoseWhoWriteToTheSameGroupsDoNotDisturbEachOther() async throws {
        try await TestDatabase.with { database in
            let writers = try (0..<4).map { _ in try database.provider() }
            let groups = try (0..<40).map { try ElectionGroup("group \($0)") }
            for _ in 0..<25 {
                // All of them are over by the time of the next round, and each writer would delete those of the others.
                try await withThrowingTaskGroup(of: Void.self) { tasks in
                    for (number, writer) in writers.enumerated() {
                        let requests = (number % 2 == 0 ? groups : groups.reversed()).map { group in
                            NoteRequest(
                                group: group,
                                key: "writer-\(number)",
                                text: "text",
                                lifetime: .milliseconds(1),
                                isNews: true,
                                timeout: .seconds(5)
                            )
                        }
                        tasks.addTask {
                            for answer in try await writer.write(requests) {
                                if case .unknown(let error) = answer { throw error }
                            }
                        }
                    }
                    try await tasks.waitForAll()
                }
            }
            let notes = Notes(writers[0])
            try await notes.write("a", "text")
            await writers[0].store.notes.sweep()
            #expect(try await eventually { try await database.run("SELECT count(*) FROM \(database.note)") == "1" })
            #expect(try await notes.all() == ["a: text"])
        }
    }

    @Test(.needs(.postgres)) func aLockedTableOfNotesHoldsUpNoLease() async throws {
        try await TestDatabase.with { database in
            let holder = try Contender("holder", try database.provider())
            let notes = Notes(holder.provider)
            let term = try await holder.acquireSoon()
            try await notes.write("a", "text")
            let before = await holder.provider.connectionAttempts
            let session = TestSession(database.url)
            try await session.run("BEGIN")
            try await session.run("LOCK TABLE \(database.note) IN ACCESS EXCLUSIVE MODE")
            #expect(await notes.refusal(timeout: .milliseconds(300))?.code == .timedOut)
            async let pending: Void = notes.write("b", "text", timeout: .seconds(60))
            // In one line with the note they would not be answered before the table is free again.
            for _ in 0..<20 { #expect(try await holder.renew(term: term).isRenewed) }
            try await session.run("ROLLBACK")
            try await pending
            // What became of the one that nobody waited for is not known.
            #expect(try await notes.all().prefix(2) == ["a: text", "b: text"])
            #expect(await holder.provider.connectionAttempts == before)
        }
    }
}

/// Notes of one provider, in short words.
struct Notes: Sendable {
    let provider: PostgresElectionProvider

    init(_ provider: PostgresElectionProvider) { self.provider = provider }

    func write(
        _ key: String,
        _ text: String,
        lifetime: Duration = .seconds(60),
        isNews: Bool = true,
        timeout: Duration = .seconds(5),
        group: String = "group"
    ) async throws {
        let request = NoteRequest(
            group: try ElectionGroup(group),
            key: key,
            text: text,
            lifetime: lifetime,
            isNews: isNews,
            timeout: timeout
        )
        if case .unknown(let error) = try await provider.write([request])[0] { throw error }
    }

    func remove(_ key: String, group: String = "group") async throws {
        let removal = NoteRemoval(group: try ElectionGroup(group), key: key, timeout: .seconds(5))
        if case .unknown(let error) = try await provider.remove([removal])[0] { throw error }
    }

    func all(group: String = "group") async throws -> [String] {
        switch try await provider.notes(of: [ElectionGroup(group)])[0] {
        case .found(let notes): return notes.map { "\($0.key): \($0.text)" }
        case .unknown(let error): throw error
        }
    }

    /// What a note was refused with; nil if it was not.
    func refusal(timeout: Duration = .seconds(5)) async -> ElectionError? {
        do {
            try await write("key", "text", timeout: timeout)
            return nil
        } catch {
            return error as? ElectionError
        }
    }
}
#endif
