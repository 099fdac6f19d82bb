// SPDX-License-Identifier: MIT
#if Redis
import LeaderElection
import Synchronization
import Testing

@testable import LeaderElectionRedis

@Suite("Redis: what a quorum's answers mean", .timeLimit(.minutes(2)))
struct QuorumCountTests {
    private func record(_ term: Int64, sequence: Int64 = 0, of holder: UInt64 = 1) -> LeaseRecord {
        LeaseRecord(
            term: term,
            holder: Candidate(id: "h\(holder)", incarnation: Nonce(high: 0, low: holder)),
            leaseDuration: .seconds(3),
            sequence: sequence
        )
    }

    private func reply(_ status: LeaseReply.Status) -> QuorumReply { .statuses([status], serverNanoseconds: 1) }

    private let failure = QuorumReply.failed(ElectionError(.storeUnavailable, "gone"))

    @Test func aMajorityMustAgreeOnOneTerm() {
        let granted = { (term: Int64) in reply(.granted(term: term)) }
        #expect(QuorumCount([granted(5), granted(5), nil], group: 0).agreedTerm == 5)
        #expect(QuorumCount([granted(5), granted(6), granted(7)], group: 0).agreedTerm == nil)
        #expect(QuorumCount([granted(5), granted(5), granted(6), granted(6), nil], group: 0).agreedTerm == nil)
    }

    @Test func aMajorityOutOfReachNeedsNoMoreAnswers() {
        let (yes, no) = (reply(.granted(term: 5)), reply(.held(record(4))))
        #expect(!QuorumCount([nil, nil, nil], group: 0).isOutOfReach)
        #expect(!QuorumCount([yes, no, nil], group: 0).isOutOfReach)
        #expect(QuorumCount([no, no, nil], group: 0).isOutOfReach)
        #expect(QuorumCount([no, failure, nil], group: 0).isOutOfReach)
        #expect(!QuorumCount([no, failure, nil, yes, yes], group: 0).isOutOfReach)
    }

    @Test func aRecordCountsOnlyIfAMajorityConfirmsIt() {
        let held = { (term: Int64, sequence: Int64) in reply(.held(record(term, sequence: sequence))) }
        #expect(QuorumCount([held(4, 1), held(4, 3), nil], group: 0).confirmed?.sequence == 3)
        #expect(QuorumCount([held(4, 1), held(5, 1), nil], group: 0).confirmed == nil)
        let other = reply(.held(record(4, of: 2)))
        #expect(QuorumCount([held(4, 1), other, nil], group: 0).confirmed == nil)
        #expect(QuorumCount([held(4, 1), held(5, 1), nil], group: 0).standing?.term == 5)
        #expect(QuorumCount([held(4, 1), reply(.free(lastTerm: 9)), failure], group: 0).largestTerm == 9)
    }

    @Test func aRoundGoesOnWhenItIsDecidedAndHandsOnWhatComesLater() async {
        let late = Mutex<[Int]>([])
        let round = QuorumRound(
            count: 3,
            isEnough: { $0.count { $0 != nil } >= 2 },
            afterwards: { member, _ in late.withLock { $0.append(member) } }
        )
        round.take(failure, from: 2)
        round.take(failure, from: 0)
        let replies = await round.replies()
        #expect(replies[1] == nil && replies[0] != nil && replies[2] != nil)
        round.take(failure, from: 1)
        #expect(late.withLock { $0 } == [1])
    }

    @Test func aRoundEndsWhenAllHaveAnswered() async {
        let round = QuorumRound(count: 3, isEnough: { _ in false })
        for member in 0..<3 { round.take(failure, from: member) }
        #expect(await round.replies().allSatisfy { $0 != nil })
    }

    @Test func aQuorumNeedsThreeServers() {
        var settings = RedisSettings(.quorum([.host("a", port: 1), .host("b", port: 2)]))
        settings.clientName = "test"
        let given = settings
        #expect(throws: ElectionError.self) { try RedisElectionProvider(given) }
    }
}
#endif
