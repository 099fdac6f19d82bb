// SPDX-License-Identifier: MIT

import LeaderElection
import LeaderElectionTesting
import Testing

@Suite(.timeLimit(.minutes(2))) struct ElectionHealthTests {
    let harness = ServiceHarness()

    private func causes(_ election: ElectionService) -> [ElectionHealth.Cause] { election.health.reasons.map(\.cause) }

    @Test func aServiceIsHealthyOnceItRunsAndTheStoreAnswers() async throws {
        let election = try harness.service("alone")
        #expect(causes(election) == [.notStarted])
        #expect(election.health.status == .degraded)
        try await harness.during(election) { election in
            _ = try await election.waitForLeadership()
            #expect(election.health.status == .healthy)
            #expect(election.health.reasons.isEmpty)
        }
        #expect(causes(election) == [.stopped])
        #expect(election.health.status == .failed)
    }

    @Test func followingIsAsHealthyAsLeading() async throws {
        let (first, second) = (try harness.service("first"), try harness.service("second"))
        try await harness.during(first) { first in
            _ = try await first.waitForLeadership()
            try await harness.during(second) { second in
                _ = try await second.waitForLeader()
                #expect(second.health.status == .healthy)
            }
        }
    }

    @Test func aStoreThatWasNeverHeardIsAFailureAfterOneLease() async throws {
        let election = try harness.service("alone", provider: silent(.always, on: [.acquire, .holders, .release]))
        var events = election.events.makeAsyncIterator()
        try await harness.during(election) { election in
            let error = try await events.next(.error)
            #expect(causes(election) == [.storeNeverHeard])
            #expect(election.health.status == .degraded)
            let message = try #require(election.health.reasons.first?.message)
            #expect(try message.contains(#require(error.error).message))
            harness.clock.advance(by: .seconds(10))
            #expect(election.health.status == .failed)
        }
    }

    @Test func aLeaderThatCannotRenewIsInJeopardyUntilItCan() async throws {
        let provider = silent(.first(1), on: [.renew])
        let election = try harness.service("alone", provider: provider)
        var events = election.events.makeAsyncIterator()
        try await harness.during(election) { election in
            _ = try await election.waitForLeadership()
            harness.clock.suspend(for: .milliseconds(3200))
            _ = try await events.next(.jeopardy)
            #expect(Set(causes(election)) == [.jeopardy, .storeSilent])
            #expect(election.health.status == .degraded)
            #expect(election.health.description.contains("renew"))
            harness.clock.advance(by: .seconds(1))
            _ = try await events.next(.recovered)
            #expect(election.health.status == .healthy)
        }
    }

    @Test func aNamesakeThatLeadsIsReported() async throws {
        let (first, second) = (try harness.service("twin"), try harness.service("twin"))
        try await harness.during(first) { first in
            _ = try await first.waitForLeadership()
            try await harness.during(second) { second in
                _ = try await second.waitForLeader()
                #expect(causes(second) == [.duplicateCandidate])
                #expect(first.health.status == .healthy)
            }
        }
    }

    @Test func workThatOutlivesItsTermIsReportedUntilItEnds() async throws {
        let provider = silent(.always, on: [.renew])
        let election = try harness.service("alone", provider: provider)
        let (started, mayEnd) = (Gate(), Gate())
        var events = election.events.makeAsyncIterator()
        try await harness.during(election) { election in
            async let work: Void = election.whileLeader { _ in
                started.open()
                await mayEnd.waitStubbornly()
            }
            await started.wait()
            harness.clock.advance(by: .seconds(10))
            _ = try await events.next(.lost)
            while try await events.next(.error).error?.code != .workOverran {}
            #expect(causes(election).contains(.workOverran))
            mayEnd.open()
            _ = try await events.next(.acquired)
            #expect(!causes(election).contains(.workOverran))
            election.stop()
            try await work
        }
    }

    private func silent(_ when: FaultRule.Occasion, on verbs: Set<FaultRule.Operation>) -> FaultyProvider {
        FaultyProvider(
            wrapping: harness.provider(),
            clock: harness.clock,
            rules: [FaultRule(.dropBeforeApplying, when: when, on: verbs)]
        )
    }
}
