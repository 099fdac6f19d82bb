// SPDX-License-Identifier: MIT

import LeaderElection
import LeaderElectionTesting
import Testing

@Suite(.timeLimit(.minutes(2))) struct RecorderTests {
    let harness = ServiceHarness()

    @Test func anOwnTermIsRecordedWithItsMarginsAndItsEnd() async throws {
        let election = try harness.service("alone")
        let recorder = ElectionRecorder()
        recorder.watch(election)
        var events = election.events.makeAsyncIterator()
        try await harness.during(election) { _ in
            let acquired = try await events.next(.acquired)
            harness.clock.suspend(for: .milliseconds(3200))
            let renewed = try await events.next(.renewed)
            let open = try #require(recorder.terms.first)
            #expect(open.end == nil && open.ending == nil)
            #expect(open.isOwn && open.leader == "alone" && open.term == acquired.term)
            #expect(open.renewals == 1)
            #expect(open.leastMargin == acquired.validUntil.map { renewed.instant.duration(to: $0) })
            election.stop()
            _ = try await events.next(.stopped)
        }
        let ended = try #require(recorder.terms.first)
        #expect(recorder.terms.count == 1)
        #expect(ended.ending == .stopped)
        #expect(try #require(ended.end) >= ended.start.advanced(by: .milliseconds(3200)))
    }

    @Test func aFollowerRecordsTheTermsOfOthersAndTheGapBetween() async throws {
        let deadEnd = FaultyProvider(
            wrapping: harness.provider(),
            clock: harness.clock,
            rules: [
                FaultRule(.dropBeforeApplying, when: .after(1), on: [.acquire]),
                FaultRule(.dropBeforeApplying, when: .always, on: [.renew, .release]),
            ]
        )
        let (first, second) = (try harness.service("first", provider: deadEnd), try harness.service("second"))
        let recorder = ElectionRecorder()
        recorder.watch(first)
        var firstEvents = first.events.makeAsyncIterator()
        let running = Task { try await first.run() }
        _ = try await first.waitForLeadership()
        let following = ElectionRecorder()
        following.watch(second)
        var events = second.events.makeAsyncIterator()
        try await harness.during(second) { _ in
            _ = try await events.next(.changed)
            #expect(following.terms.map(\.leader) == ["first"])
            #expect(following.terms.first?.isOwn == false)
            #expect(following.terms.first?.cause == .initial)
            harness.clock.suspend(for: .milliseconds(3200))
            _ = try await firstEvents.next(.jeopardy)
            harness.clock.advance(by: .seconds(8))
            _ = try await events.next(.acquired)
            #expect(following.terms.map(\.leader) == ["first", "second"])
            #expect(following.terms.first?.ending == .superseded)
            #expect(following.terms.last?.cause == .elected)
            #expect(following.terms.last?.leaderless == .zero)
        }
        let own = try #require(recorder.terms.first)
        #expect(own.ending == .expired)
        #expect(own.failedRenewals > 0 && own.jeopardies == 1)
        // It was told late; its claim had ended with its deadline.
        #expect(own.end == own.start.advanced(by: .milliseconds(9480)))
        deadEnd.replaceRules([])
        first.stop()
        try await running.value
    }

    @Test func onlyTheLastTermsAreKept() async throws {
        let recorder = ElectionRecorder(keeping: 2)
        var terms: [Int64] = []
        for _ in 0..<4 {
            let election = try harness.service("alone")
            recorder.watch(election)
            try await withElection(election) { terms.append(try await $0.waitForLeadership().term) }
        }
        #expect(recorder.terms.map(\.term) == terms.suffix(2))
    }
}
