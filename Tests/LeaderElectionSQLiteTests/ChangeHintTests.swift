// SPDX-License-Identifier: MIT
#if SQLite
internal import LeaderElection
internal import Testing

@testable internal import LeaderElectionSQLite

@Suite(.timeLimit(.minutes(1)))
struct ChangeHintTests {
    private let directory: TemporaryDirectory
    private let group: ElectionGroup
    private let other: ElectionGroup

    init() throws {
        directory = try TemporaryDirectory()
        group = try ElectionGroup("orders")
        other = try ElectionGroup("other")
    }

    @Test func aReleaseReachesTheWaitingCandidateAndRenewalsDoNot() async throws {
        let leader = Contender("leader", try directory.provider())
        let waiting = Contender("waiting", try directory.provider())
        let term = try #require(try await leader.acquire(group).term)
        let otherTerm = try #require(try await leader.acquire(other).term)
        var hints = await Hints(of: waiting.provider)
        #expect(try await waiting.acquire(group).record != nil)
        #expect(try await waiting.acquire(other).record != nil)

        for _ in 0..<20 { #expect(try await leader.renew(group, term: term).isRenewed) }
        #expect(try await leader.release(other, term: otherTerm).isReleased)
        #expect(await hints.next() == .changed(other), "a renewal was told, or something before the subscription")
        #expect(try await waiting.acquire(other).term ?? 0 > otherTerm)

        #expect(try await leader.release(group, term: term).isReleased)
        #expect(await hints.next() == .changed(group))
    }

    @Test func candidatesOfTheSameProviderHearOfEachOther() async throws {
        let provider = try directory.provider()
        let (leader, waiting) = (Contender("leader", provider), Contender("waiting", provider))
        var hints = await Hints(of: provider)
        let term = try #require(try await leader.acquire(group).term)
        #expect(try await waiting.acquire(group).record != nil)
        #expect(try await leader.release(group, term: term).isReleased)
        #expect(await hints.next() == .changed(group))
    }

    @Test func aTakeoverReachesTheFormerHolder() async throws {
        let clock = StoppedClock()
        let old = Contender("old", try directory.provider(clock: clock))
        let new = Contender("new", try directory.provider(clock: clock))
        var hints = await Hints(of: old.provider)
        #expect(try await old.acquire(group).term != nil)
        clock.advance(by: .lease)
        #expect(try await new.acquire(group).term != nil)
        #expect(await hints.next() == .changed(group))
    }

    @Test func groupsThatNobodyAskedAboutStayQuiet() async throws {
        let leader = Contender("leader", try directory.provider())
        let waiting = Contender("waiting", try directory.provider())
        var hints = await Hints(of: waiting.provider)
        #expect(try await leader.acquire(other).term != nil)
        let term = try #require(try await leader.acquire(group).term)
        #expect(try await waiting.acquire(group).record != nil)
        #expect(try await leader.release(group, term: term).isReleased)
        #expect(await hints.next() == .changed(group))
    }

    @Test func aHintComesEvenIfNobodyAnnouncedTheCommit() async throws {
        let leader = Contender("leader", try directory.provider())
        let waiting = Contender("waiting", try directory.provider())
        #expect(try await leader.acquire(group).term != nil)
        #expect(try await waiting.acquire(group).record != nil)
        var hints = await Hints(of: waiting.provider)
        // What a provider commits that dies before it can announce: only the log's own event remains.
        let silent = try SQLiteHandle(path: directory.database, createIfMissing: false)
        // Not the first one only, nor one by the look that follows the first.
        for _ in 0..<3 {
            try silent.execute("UPDATE leader_election_lease SET nonce = NULL, changed = changed + 1")
            #expect(await hints.next() == .changed(group))
        }
    }
}
#endif
