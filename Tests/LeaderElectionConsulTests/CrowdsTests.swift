// SPDX-License-Identifier: MIT
#if Consul
import LeaderElection
import Testing

@testable import LeaderElectionConsul

@Suite struct CrowdsTests {
    private let crowds = Crowds()

    @Test func aCrowdIsKnownWhileOneOfItsOwnWaits() throws {
        let group = try ElectionGroup("g")
        crowds.counted(group, 20)
        #expect(crowds.size(group) == 1)
        #expect(crowds.waits(in: group, "a"))
        crowds.counted(group, 200)
        #expect(crowds.size(group) == 200)
        // Not by each of a crowd, and not by none.
        let counts = (0..<10_000).count { _ in crowds.waits(in: group, "a") }
        #expect((2...80).contains(counts), "\(counts)")
        crowds.counted(group, 0)
        #expect(crowds.size(group) == 1)
        crowds.left(group, "a")
        crowds.counted(group, 20)
        #expect(crowds.size(group) == 1)
    }

    @Test func aSizeIsKnownWhileAnyCandidateOfThisProcessWaits() throws {
        let group = try ElectionGroup("g")
        crowds.counted(group, 9)
        #expect(crowds.size(group) == 1, "nobody of ours waits")
        #expect(crowds.waits(in: group, "a") && crowds.waits(in: group, "b"), "each counts at first")
        crowds.counted(group, 9)
        crowds.forget(group)
        #expect(!crowds.left(group, "a") && crowds.size(group) == 9)
        #expect(crowds.left(group, "b") && crowds.size(group) == 1)
    }

    @Test func whoHasNotWrittenYetMayCount() throws {
        let group = try ElectionGroup("g")
        crowds.counted(group, 9, isOurs: true)
        #expect(crowds.size(group) == 9)
        crowds.forget(group)
        #expect(crowds.size(group) == 1)
    }

    @Test(arguments: [5, 20, 1000]) func ofACrowdSomeAskAtOnceAndTheOthersLater(size: Int) {
        let turns = (0..<20_000).map { _ in Crowds.turn(among: size) }
        let share = Double(turns.count { $0 == .zero }) / 20_000
        #expect(abs(share - 3 / Double(size)) < 0.02)
        #expect(turns.allSatisfy { $0 == .zero || ($0 >= Crowds.settling && $0 < .milliseconds(300)) })
        #expect(Crowds.turn(among: Crowds.unspread) == .zero)
    }
}
#endif
