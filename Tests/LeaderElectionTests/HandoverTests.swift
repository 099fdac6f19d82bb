// SPDX-License-Identifier: MIT

import LeaderElection
import LeaderElectionTesting
import Testing

/// Candidates that see each other, and leadership that changes hands on purpose: whole services over one store.
@Suite(.timeLimit(.minutes(2))) struct HandoverTests {
    let harness = ServiceHarness()

    /// Returns once the candidate is listed.
    private func listed(_ id: String, by election: ElectionService) async throws -> ListedCandidate {
        while true {
            if let found = try await election.candidates().first(where: { $0.candidate.id == id }) { return found }
            await Task.yield()
        }
    }

    @Test func whoWaitsIsListedAndWhoLeadsIsNot() async throws {
        let first = try harness.service("first")
        let second = try harness.service("second") {
            $0.metadata = ["address": "10.0.0.2:80"]
            $0.priority = -3
        }
        try await harness.steadily {
            try await withElection(first) { first in
                _ = try await first.waitForLeadership()
                try await withElection(second) { second in
                    let found = try await listed("second", by: first)
                    #expect(found.candidate.metadata == ["address": "10.0.0.2:80"])
                    #expect(found.priority == -3 && found.isEligible)
                    #expect(try await second.candidates().map(\.candidate.id) == ["second"])
                }
                #expect(try await first.candidates().isEmpty)
            }
        }
    }

    @Test func anUnlistedCandidateIsNotSeenAndCannotHandOver() async throws {
        let election = try harness.service("first") { $0.isListed = false }
        try await harness.during(election) { election in
            _ = try await election.waitForLeadership()
            await #expect(throws: ElectionError.self) { try await election.transfer(to: "second") }
        }
    }

    @Test func theChosenCandidateLeadsInALargerTermAndGotReadyBefore() async throws {
        let isReady = Gate()
        let first = try harness.service("first")
        let chosen = try harness.service("chosen") { $0.prepare = { isReady.open() } }
        let other = try harness.service("other")
        try await harness.steadily {
            try await withElection(first) { first in
                let old = try await first.waitForLeadership()
                try await withElection(other) { other in
                    _ = try await listed("other", by: first)
                    try await withElection(chosen) { chosen in
                        _ = try await listed("chosen", by: first)
                        try await first.transfer(to: "chosen")
                        await isReady.wait()
                        #expect(!old.isValid && !first.isLeader)
                        let new = try await chosen.waitForLeadership()
                        #expect(new.term > old.term)
                        #expect(!other.isLeader)
                    }
                }
            }
        }
    }

    @Test func whoDoesNotGetReadyDoesNotLead() async throws {
        struct NotReady: Error {}
        let first = try harness.service("first")
        let second = try harness.service("second") { $0.prepare = { throw NotReady() } }
        try await harness.steadily {
            try await withElection(first) { first in
                let leadership = try await first.waitForLeadership()
                try await withElection(second) { _ in
                    _ = try await listed("second", by: first)
                    let error = await #expect(throws: ElectionError.self) { try await first.transfer(to: "second") }
                    #expect(error?.message.contains("could not") == true, "\(error?.message ?? "")")
                    #expect(leadership.isValid)
                }
            }
        }
    }

    @Test func nothingChangesForSomebodyWhoIsNotThere() async throws {
        let election = try harness.service("first")
        try await harness.steadily {
            try await withElection(election) { election in
                let leadership = try await election.waitForLeadership()
                let error = await #expect(throws: ElectionError.self) { try await election.transfer(to: "nobody") }
                #expect(error?.code == .transferRefused && error?.message.contains("nobody") == true)
                #expect(leadership.isValid)
            }
        }
    }

    @Test func whoDoesNotLeadCannotHandOver() async throws {
        let election = try harness.service("first")
        let error = await #expect(throws: ElectionError.self) { try await election.transfer(to: "second") }
        #expect(error?.code == .notLeading)
    }

    @Test func leadershipGoesToTheHigherPriorityInTheEnd() async throws {
        let first = try harness.service("first")
        let better = try harness.service("better") { $0.priority = 5 }
        try await harness.steadily {
            try await withElection(first) { first in
                let old = try await first.waitForLeadership()
                try await withElection(better) { better in
                    let new = try await better.waitForLeadership()
                    #expect(new.term > old.term && !old.isValid)
                }
            }
        }
    }

    @Test(arguments: [FaultRule.Operation.writeNotes, .readNotes])
    func aNoteThatIsLostDelaysAPriorityByLittle(_ lost: FaultRule.Operation) async throws {
        func faulty(_ rules: [FaultRule]) -> FaultyProvider {
            FaultyProvider(wrapping: harness.provider(), clock: harness.clock, rules: rules)
        }
        let rule = FaultRule(.dropBeforeApplying, when: .first(1), on: [lost])
        let first = try harness.service("first", provider: faulty(lost == .readNotes ? [rule] : []))
        let better = try harness.service("better", provider: faulty(lost == .writeNotes ? [rule] : [])) {
            $0.priority = 5
        }
        try await harness.steadily {
            try await withElection(first) { first in
                _ = try await first.waitForLeadership()
                let start = harness.clock.now
                try await withElection(better) { better in
                    _ = try await better.waitForLeadership()
                    // To be listed, to be preferred for a lease, to be asked; nothing waits for the next patrol.
                    #expect(harness.clock.now - start < ElectionConfiguration.standard.leaseDuration + .seconds(2))
                }
            }
        }
    }

    @Test func aPriorityThatRisesMovesLeadershipAndOneThatFallsMovesItBack() async throws {
        let (first, second) = (try harness.service("first"), try harness.service("second"))
        try await harness.steadily {
            try await withElection(first) { first in
                let old = try await first.waitForLeadership()
                try await withElection(second) { second in
                    _ = try await listed("second", by: first)
                    try second.changePriority(to: 5)
                    let new = try await second.waitForLeadership()
                    #expect(new.term > old.term && !old.isValid)
                    _ = try await listed("first", by: second)
                    try second.changePriority(to: -1)
                    #expect(try await first.waitForLeadership().term > new.term)
                    #expect(!new.isValid)
                }
            }
        }
        #expect(throws: ElectionError.self) { try first.changePriority(to: 1001) }
    }

    @Test func aSuspendedCandidateIsNeitherChosenNorPreferred() async throws {
        let first = try harness.service("first")
        let better = try harness.service("better") { $0.priority = 5 }
        try await harness.steadily {
            try await withElection(first) { first in
                let leadership = try await first.waitForLeadership()
                await better.suspend()
                try await withElection(better) { better in
                    #expect(try await !listed("better", by: first).isEligible)
                    let error = await #expect(throws: ElectionError.self) { try await first.transfer(to: "better") }
                    #expect(error?.message.contains("suspended") == true)
                    #expect(leadership.isValid)
                    await better.resume()
                    _ = try await better.waitForLeadership()
                }
            }
        }
    }

    @Test func anOperatorEndsATermAndTheLeaderStandsDown() async throws {
        let (first, second) = (try harness.service("first"), try harness.service("second"))
        let asking = try ElectionOperator(group: "group", provider: harness.provider(), clock: harness.clock)
        try await harness.steadily {
            try await withElection(first) { first in
                let old = try await first.waitForLeadership()
                try await withElection(second) { second in
                    _ = try await listed("second", by: first)
                    #expect(try await asking.resign(standingDownFor: .seconds(60)) == old.term)
                    #expect(!old.isValid)
                    let new = try await second.waitForLeadership()
                    #expect(try await asking.evict(standingDownFor: .seconds(60)) == new.term)
                    #expect(!new.isValid)
                }
            }
        }
    }

    @Test func whoStandsDownIsNeitherChosenNorPreferred() async throws {
        let first = try harness.service("first") { $0.priority = 5 }
        let second = try harness.service("second")
        let asking = try ElectionOperator(group: "group", provider: harness.provider(), clock: harness.clock)
        try await harness.steadily {
            try await withElection(first) { first in
                _ = try await first.waitForLeadership()
                try await withElection(second) { second in
                    _ = try await listed("second", by: first)
                    try await asking.resign(standingDownFor: .seconds(40))
                    let resigned = harness.clock.now
                    let between = try await second.waitForLeadership()
                    #expect(try await !listed("first", by: second).isEligible)
                    let error = await #expect(throws: ElectionError.self) { try await asking.transfer(to: "first") }
                    #expect(error?.message.contains("stands down") == true)
                    #expect(between.isValid)
                    // Its time is over, and its priority counts again.
                    let last = try await first.waitForLeadership()
                    #expect(last.term > between.term && harness.clock.now - resigned > .seconds(35))
                }
            }
        }
    }

    @Test func anOperatorHandsOver() async throws {
        let (first, second) = (try harness.service("first"), try harness.service("second"))
        let asking = try ElectionOperator(group: "group", provider: harness.provider(), clock: harness.clock)
        try await harness.steadily {
            let nobody = await #expect(throws: ElectionError.self) { try await asking.transfer(to: "second") }
            #expect(nobody?.code == .notLeading)
            try await withElection(first) { first in
                let old = try await first.waitForLeadership()
                let early = await #expect(throws: ElectionError.self) { try await asking.transfer(to: "third") }
                #expect(early?.code == .transferRefused)
                try await withElection(second) { second in
                    _ = try await listed("second", by: first)
                    let new = try await asking.transfer(to: "second")
                    #expect(new.id == "second" && new.term > old.term)
                    #expect(try await second.waitForLeadership().term == new.term)
                }
            }
        }
    }
}
