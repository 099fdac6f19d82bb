// SPDX-License-Identifier: MIT
#if SQLite
internal import Foundation
internal import LeaderElection
internal import Testing

@testable internal import LeaderElectionSQLite

@Suite(.timeLimit(.minutes(1)))
struct StoreFailureTests {
    private let directory: TemporaryDirectory
    private let group: ElectionGroup

    init() throws {
        directory = try TemporaryDirectory()
        group = try ElectionGroup("orders")
    }

    @Test func aLockedDatabaseIsUnknownWithinTheTimeoutAndOtherCallsGoOn() async throws {
        let provider = try directory.provider()
        let holder = Contender("holder", provider)
        let term = try #require(try await holder.acquire(group).term)
        let foreign = try SQLiteHandle(path: directory.database, createIfMissing: false)
        try foreign.execute("BEGIN IMMEDIATE")

        let free = try ElectionGroup("free")
        let begin = ContinuousClock.now
        let answer = try await holder.acquire(free, timeout: .milliseconds(50))
        #expect(answer.error?.code == .timedOut)
        #expect(ContinuousClock.now - begin < .seconds(5))
        // Readers are not in the way of a writer, nor it in theirs.
        #expect(try await Contender("other", provider).acquire(group, timeout: .milliseconds(50)).record != nil)
        #expect(try await holder.holder(group).record?.term == term)

        // A call that waits leaves the thread to others: this one ends while the first is still waiting.
        async let waiting = holder.acquire(free, timeout: .seconds(50))
        async let renewal = holder.renew(group, term: term)
        #expect(try await Contender("other", provider).acquire(free, timeout: .milliseconds(20)).error != nil)
        try foreign.execute("COMMIT")
        #expect(try await waiting.term != nil)
        #expect(try await renewal.isRenewed)
    }

    /// A condition of the connection that SQLite itself then reports, and what must be made of it.
    enum Fault: String, CaseIterable {
        case readOnly = "PRAGMA query_only = ON"
        case full = "PRAGMA max_page_count = 1"

        var code: ElectionError.Code { self == .readOnly ? .storeRefused : .storeUnavailable }
    }

    @Test(arguments: Fault.allCases)
    func aStoreThatCannotWriteGrantsNothingAndRecovers(_ fault: Fault) async throws {
        let contender = Contender("a", try directory.provider())
        let padding = String(repeating: "x", count: 20_000)
        try await contender.provider.store.execute(fault.rawValue)
        let large = Contender("b", contender.provider, metadata: ["padding": padding])
        let error = try #require(try await large.acquire(group).error)
        #expect(error.code == fault.code)
        #expect(error.message.contains(directory.database))
        #expect(try await contender.holder(group).record == nil)
        // The connection was opened anew, so the condition is gone.
        #expect(try await large.acquire(group).term != nil)
    }

    @Test func aFileThatIsNoDatabaseIsRefusedUntilItIsMovedAway() async throws {
        let garbage = Data(repeating: 0x5A, count: 8192)
        try garbage.write(to: URL(fileURLWithPath: directory.database))
        let contender = Contender("a", try directory.provider())
        #expect(try await contender.acquire(group).error?.code == .storeCorrupted)
        #expect(try Data(contentsOf: URL(fileURLWithPath: directory.database)) == garbage)
        try directory.removeDatabase()
        #expect(try await contender.acquire(group).term != nil)
    }

    @Test func aMissingDirectoryIsNamedAndFoundWhenItAppears() async throws {
        let path = directory.path + "/later"
        let contender = Contender("a", try SQLiteElectionProvider(path: path + "/election.db"))
        let error = try #require(try await contender.acquire(group).error)
        #expect(error.code == .storeUnavailable)
        #expect(error.message.contains(path))
        try FileManager.default.createDirectory(atPath: path, withIntermediateDirectories: false)
        #expect(try await contender.acquire(group).term != nil)
    }

    @Test func aMissingDatabaseIsNotMadeUnlessAllowed() async throws {
        let contender = Contender("a", try directory.provider(createIfMissing: false))
        #expect(try await contender.acquire(group).error?.code == .storeUnavailable)
        #expect(directory.names.isEmpty)
    }

    @Test func tablesOfANewerVersionAreLeftAlone() async throws {
        let contender = Contender("a", try directory.provider())
        try await contender.provider.store.execute("UPDATE leader_election_store SET version = 2")
        let late = Contender("b", try directory.provider())
        #expect(try await late.acquire(group).error?.code == .storeUnsuitable)
    }

    @Test func oneUnreadableRowDoesNotConcernTheOthers() async throws {
        let contender = Contender("a", try directory.provider())
        let term = try #require(try await contender.acquire(group).term)
        try await contender.provider.store.execute("UPDATE leader_election_lease SET meta = 'nonsense'")
        let other = try ElectionGroup("other")
        let requests = [group, other].map { group in
            AcquireRequest(
                group: group,
                candidate: contender.candidate,
                nonce: Nonce(),
                leaseDuration: .lease,
                timeout: .patience
            )
        }
        let answers = try await contender.provider.acquire(requests)
        #expect(answers[0].error?.code == .storeCorrupted)
        #expect(answers[0].error?.group == group.name)
        #expect(answers[1].term != nil)
        // The holder is not concerned either: nobody else can have taken the row.
        #expect(try await contender.renew(group, term: term).isRenewed)
    }

    @Test func otherTablesOfTheDatabaseStay() async throws {
        let application = try SQLiteHandle(path: directory.database, createIfMissing: true)
        try application.execute("CREATE TABLE mine (x); INSERT INTO mine VALUES (7); PRAGMA user_version = 42")
        let contender = Contender("a", try directory.provider())
        #expect(try await contender.acquire(group).term != nil)
        #expect(try application.execute("SELECT x FROM mine") == "7")
        #expect(try application.execute("PRAGMA user_version") == "42")
    }

    @Test func aReplacedDatabaseEndsLeasesAndKeepsNewOnesWaiting() async throws {
        let clock = StoppedClock()
        let holder = Contender("holder", try directory.provider(clock: clock))
        var hints = await Hints(of: holder.provider)
        let term = try #require(try await holder.acquire(group).term)
        try directory.removeDatabase()
        #expect(await hints.next() == .resync)
        #expect(try await holder.renew(group, term: term).isLost)

        // The old lease may still be believed in, by a process that has not noticed yet.
        let challenger = Contender("challenger", try directory.provider(clock: clock))
        guard case .deferred(let wait, _) = try await challenger.acquire(group) else {
            Issue.record("granted while a lease of the old database was running")
            return
        }
        clock.advance(by: wait)
        #expect(try await challenger.acquire(group).term ?? 0 > term)
    }

    @Test func aRestoredBackupWaitsForTheLongestLeaseInIt() async throws {
        let clock = StoppedClock()
        let copy = directory.path + "/copy.db"
        let holder = Contender("holder", try directory.provider(clock: clock))
        let term = try #require(try await holder.acquire(group, lease: .seconds(30)).term)
        #expect(try await holder.release(group, term: term).isReleased)
        try await holder.provider.store.execute("VACUUM INTO '\(copy)'")

        let restored = Contender("restored", try SQLiteElectionProvider(path: copy, clock: clock))
        guard case .deferred(.seconds(30), _) = try await restored.acquire(group) else {
            Issue.record("leases that the backup does not know of were not waited for")
            return
        }
        clock.advance(by: .seconds(30))
        #expect(try await restored.acquire(group).term ?? 0 > term)
    }

    @Test func nothingIsLeftBehind() async throws {
        let path = "/proc/self/fd"
        func descriptors() -> Int {
            let names = (try? FileManager.default.contentsOfDirectory(atPath: path)) ?? []
            return names.count { name in
                let target = try? FileManager.default.destinationOfSymbolicLink(atPath: path + "/" + name)
                return target?.hasPrefix(directory.path) ?? false
            }
        }
        for _ in 0..<30 {
            let contender = Contender("a", try directory.provider())
            _ = await Hints(of: contender.provider)
            let term = try #require(try await contender.acquire(group).term)
            #expect(try await contender.release(group, term: term).isReleased)
        }
        #expect(await eventually { descriptors() == 0 }, "open files remain")
        #expect(directory.names == ["election.db"])
    }
}
#endif
