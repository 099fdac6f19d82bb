// SPDX-License-Identifier: MIT
#if SQLite
internal import LeaderElection
internal import Testing

@testable internal import LeaderElectionSQLite

@Suite(.timeLimit(.minutes(1)))
struct NoteTests {
    private let directory: TemporaryDirectory
    private let clock = StoppedClock()
    private let group: ElectionGroup

    init() throws {
        directory = try TemporaryDirectory()
        group = try ElectionGroup("orders")
    }

    private func note(_ key: String, lifetime: Duration = .lease, isNews: Bool = false) -> NoteRequest {
        NoteRequest(
            group: group,
            key: key,
            text: "text of \(key)",
            lifetime: lifetime,
            isNews: isNews,
            timeout: .patience
        )
    }

    private func write(_ provider: SQLiteElectionProvider, _ request: NoteRequest) async throws {
        guard case .done = try await provider.write([request])[0] else {
            Issue.record("the note \(request.key) was not written")
            return
        }
    }

    private func keys(_ provider: SQLiteElectionProvider) async throws -> [String]? {
        guard case .found(let notes) = try await provider.notes(of: [group])[0] else { return nil }
        return notes.map(\.key)
    }

    private func count(_ sql: String) throws -> String? {
        try SQLiteHandle(path: directory.database, createIfMissing: false).execute("SELECT count(*) FROM \(sql)")
    }

    @Test func aDatabaseWithoutNotesStaysAsItIsUntilTheFirstIsWritten() async throws {
        let (reader, writer) = (try directory.provider(), try directory.provider())
        let leader = Contender("leader", reader)
        let term = try #require(try await leader.acquire(group).term)
        var hints = await Hints(of: reader)
        #expect(try await keys(reader) == [])
        let removal = NoteRemoval(group: group, key: "a", timeout: .patience)
        guard case .done = try await reader.remove([removal])[0] else {
            Issue.record("a note that is not there was not removed")
            return
        }
        #expect(try await leader.renew(group, term: term).isRenewed)
        #expect(try count("sqlite_schema WHERE name LIKE 'leader_election_n%'") == "0")

        try await write(writer, note("a", isNews: true))
        #expect(await hints.next() == .noted(group), "who opened the database before there were notes hears of them")
        #expect(try await keys(reader) == ["a"])
        #expect(try count("leader_election_store WHERE version = 1") == "1", "older programs are locked out")
        #expect(try await leader.renew(group, term: term).isRenewed)
    }

    @Test func newsOfAnOperatorWhoHoldsNothingIsTold() async throws {
        let (leader, operatorsOwn) = (try directory.provider(), try directory.provider())
        #expect(try await Contender("leader", leader).acquire(group).term != nil)
        var hints = await Hints(of: leader)
        for round in 0..<8 {
            try await write(operatorsOwn, note("quiet"))
            try await write(operatorsOwn, note("news \(round)".replacing(" ", with: "-"), isNews: true))
            #expect(await hints.next() == .noted(group))
        }
    }

    @Test func aNoteRemovedAtOnceDoesNotHideTheNextOne() async throws {
        let (leader, other) = (try directory.provider(), try directory.provider())
        try await write(other, note("a", isNews: true))
        var hints = await Hints(of: leader)
        try await write(other, note("b", isNews: true))
        #expect(await hints.next() == .noted(group))
        _ = try await other.remove([NoteRemoval(group: group, key: "b", timeout: .patience)])
        // Its number must not be that of the note that is gone.
        try await write(other, note("c", isNews: true))
        #expect(await hints.next() == .noted(group))
    }

    @Test func expiredNotesAreRemovedWhenTheGroupIsWrittenTo() async throws {
        let provider = try directory.provider(clock: clock)
        for key in ["a", "b", "c"] { try await write(provider, note(key)) }
        clock.advance(by: .lease)
        #expect(try await keys(provider) == [])
        #expect(try count("leader_election_note") == "3")
        try await write(provider, note("d"))
        #expect(try count("leader_election_note") == "1")
        #expect(try await keys(provider) == ["d"])
    }

    /// The boot clock of the writer says nothing here; the wall clock does.
    @Test func aNoteFromBeforeAReboot() async throws {
        try await write(try directory.provider(clock: clock, domain: "boot 1"), note("a"))
        let later = StoppedClock()
        later.turnWallClock(by: .lease - .milliseconds(1))
        let provider = try directory.provider(clock: later, domain: "boot 2")
        #expect(try await keys(provider) == ["a"])
        later.turnWallClock(by: .milliseconds(1))
        #expect(try await keys(provider) == [])
        try await write(provider, note("b"))
        #expect(try count("leader_election_note") == "1")
    }

    @Test func withinABootTheWallClockPlaysNoPart() async throws {
        let provider = try directory.provider(clock: clock)
        try await write(provider, note("a"))
        clock.turnWallClock(by: .lease * 10)
        #expect(try await keys(provider) == ["a"])
        clock.turnWallClock(by: .lease * -20)
        clock.advance(by: .lease)
        #expect(try await keys(provider) == [])
    }

    @Test func aDatabaseThatIsLockedLeavesTheOutcomeOpenAndNothingBehind() async throws {
        let provider = try directory.provider()
        try await write(provider, note("a"))
        let blocker = try SQLiteHandle(path: directory.database, createIfMissing: false)
        try blocker.execute("BEGIN IMMEDIATE")
        var request = note("b")
        request.timeout = .milliseconds(20)
        guard case .unknown(let error as ElectionError) = try await provider.write([request])[0] else {
            Issue.record("a note was written into a database that is locked")
            return
        }
        #expect(error.code == .timedOut || error.code == .storeUnavailable)
        #expect(try await keys(provider) == ["a"], "readers never wait for a writer")
        try blocker.execute("COMMIT")
        try await write(provider, note("b"))
        #expect(try await keys(provider) == ["a", "b"])
    }
}
#endif
