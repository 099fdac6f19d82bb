// SPDX-License-Identifier: MIT

#if Observability
import LeaderElection
import LeaderElectionTesting
import Metrics
import MetricsTestKit
import Testing

@testable import LeaderElectionObservability

@Suite(.timeLimit(.minutes(2))) struct MetricsTests {
    let bench = Bench()
    let metrics = TestMetrics()

    private func observer(_ elections: [ElectionService], labelled: Set<String> = []) throws -> ElectionObserver {
        try ElectionObserver(elections, metrics: metrics, labelledGroups: labelled)
    }

    private func value(_ metric: ElectionMetric, _ dimensions: [(String, String)] = []) throws -> Double? {
        try metrics.expectMeter(metric.rawValue, dimensions).lastValue
    }

    private func count(_ metric: ElectionMetric, _ dimensions: [(String, String)] = []) throws -> Int64 {
        try metrics.expectCounter(metric.rawValue, dimensions).totalValue
    }

    private func times(_ metric: ElectionMetric, _ dimensions: [(String, String)] = []) throws -> [Int64] {
        try metrics.expectTimer(metric.rawValue, dimensions).values
    }

    @Test func aTermIsMeasuredFromItsBeginningToItsEnd() async throws {
        let (election, _) = try bench.service("alone")
        let observer = try observer([election])
        var events = election.events.makeAsyncIterator()
        try await bench.during(election) {
            let acquired = try await events.next(.acquired)
            let renewed = try await bench.renew(&events)
            #expect(await observer.flush(within: .seconds(60)))
            #expect(try value(.leading) == 1)
            #expect(try value(.activeLeases) == 1)
            #expect(try value(.leaderless) == 0)
            // Not to know yet who leads is no gap.
            #expect(metrics.timers(label: ElectionMetric.leaderlessTime.rawValue).isEmpty)
            #expect(try count(.acquisitions) == 1)
            #expect(try count(.renewals) == 1)
            #expect(try times(.acquireDuration, [("outcome", "ok")]) == [0])
            #expect(try times(.renewDuration, [("outcome", "ok")]) == [0])
            let until = try #require(acquired.validUntil)
            #expect(try times(.renewalMargin) == [until.nanoseconds - renewed.instant.nanoseconds])
            election.stop()
            _ = try await events.next(.stopped)
        }
        #expect(await observer.flush(within: .seconds(60)))
        #expect(try value(.leading) == 0)
        #expect(try value(.activeLeases) == 0)
        #expect(try count(.losses, [("reason", "stopped")]) == 1)
        #expect(try times(.releaseDuration, [("outcome", "ok")]).count == 1)
        #expect(observer.lostObservations == 0)
    }

    @Test func aStoreThatFallsSilentShowsInFailuresJeopardyAndLoss() async throws {
        let (election, _) = try bench.service("alone", rules: [FaultRule(.hang, when: .always, on: [.renew])])
        let observer = try observer([election])
        var events = election.events.makeAsyncIterator()
        try await bench.during(election) {
            let acquired = try await events.next(.acquired)
            bench.clock.suspend(for: .milliseconds(3200))
            try await bench.clock.waitForTimer(by: bench.clock.now + .seconds(2))
            bench.clock.suspend(for: .seconds(2))
            _ = try await events.next(.jeopardy)
            bench.clock.suspend(for: .seconds(10))
            let lost = try await events.next(.lost)
            #expect(lost.reason == .expired)
            _ = try await events.next(.acquired)
            #expect(await observer.flush(within: .seconds(60)))
            #expect(try count(.jeopardies) == 1)
            #expect(try count(.losses, [("reason", "expired")]) == 1)
            #expect(try count(.renewalFailures, [("error", "timed-out")]) >= 1)
            #expect(try count(.errors, [("error", "timed-out")]) >= 1)
            #expect(try count(.acquisitions) == 2)
            // Nobody led from the deadline on, however late that was noticed.
            let until = try #require(acquired.validUntil)
            #expect(try times(.leaderlessTime).last == lost.instant.nanoseconds - until.nanoseconds)
            #expect(try times(.failoverTime).last == lost.instant.nanoseconds - until.nanoseconds)
        }
    }

    @Test func aStoreThatLetsNobodyLeadIsCounted() async throws {
        let loss = Fault.deferral(for: .seconds(5), reason: "its data is gone")
        let rule = FaultRule(loss, when: .first(2), on: [.acquire])
        let (election, _) = try bench.service("alone", rules: [rule])
        let observer = try observer([election])
        var events = election.events.makeAsyncIterator()
        try await bench.during(election) {
            _ = try await events.next(.deferred)
            #expect(await observer.flush(within: .seconds(60)))
            #expect(try count(.deferrals) == 1)
        }
    }

    @Test func onlyNamedGroupsHaveALabelOfTheirOwn() async throws {
        let names = ["named", "one", "two"]
        let elections = try names.map { try bench.service("alone", group: $0).election }
        let observer = try observer(elections, labelled: ["named"])
        var running: [Task<Void, any Error>] = []
        for election in elections {
            running.append(Task { try await election.run() })
            _ = try await election.waitForLeadership()
        }
        #expect(await observer.flush(within: .seconds(60)))
        #expect(try value(.leading, [("group", "named")]) == 1)
        #expect(try value(.leading, [("group", "other")]) == 2)
        #expect(try count(.acquisitions, [("group", "other")]) == 2)
        for election in elections { election.stop() }
        for task in running { try await task.value }
        #expect(await observer.flush(within: .seconds(60)))
        #expect(try value(.leading, [("group", "other")]) == 0)
    }

    @Test func candidatesAndTermsAreNeverLabels() async throws {
        let (election, _) = try bench.service("a-candidate")
        let observer = try observer([election], labelled: ["group"])
        var events = election.events.makeAsyncIterator()
        try await bench.during(election) { _ = try await events.next(.acquired) }
        #expect(await observer.flush(within: .seconds(60)))
        let labels =
            metrics.counters.flatMap(\.dimensions) + metrics.timers.flatMap(\.dimensions)
            + metrics.meters.flatMap(\.dimensions)
        #expect(Set(labels.map(\.0)).isSubset(of: ["group", "outcome", "reason", "error"]))
        #expect(!labels.isEmpty && !labels.contains { $0.1.contains("candidate") })
    }

    @Test func tooManyLabelsAndNoBufferAreRefused() throws {
        let names = Set((0...100).map { "group-\($0)" })
        let labels = #expect(throws: ElectionError.self) { try observer([], labelled: names) }
        #expect(labels?.message.contains("101") == true)
        let buffer = #expect(throws: ElectionError.self) { try ElectionObserver(metrics: metrics, bufferSize: 0) }
        #expect(buffer?.message.contains("bufferSize 0") == true)
    }

    @Test func backendThatBlocksForEverLosesObservationsAndNothingElse() async throws {
        let (election, _) = try bench.service("alone")
        let blocking = BlockingMetrics(wrapping: metrics)
        let observer = try ElectionObserver([election], metrics: blocking, bufferSize: 4)
        var events = election.events.makeAsyncIterator()
        try await bench.during(election) {
            let term = try await events.next(.acquired).term
            await blocking.blockade.waitUntilSomebodyIsBlocked()
            // Five leases' time: it leads in the same term throughout.
            for _ in 0..<16 {
                _ = try await bench.renew(&events)
                #expect(election.leadership?.term == term)
            }
            #expect(observer.lostObservations > 0)
            #expect(await !observer.flush(within: .zero))
            blocking.blockade.open()
            #expect(await observer.flush(within: .seconds(60)))
            let lost = try count(.observationsLost)
            #expect(lost == observer.lostObservations)
            // What could not be told is not made up for, but the present state is right.
            #expect(try value(.leading) == 1)
            #expect(try value(.leaderless) == 0)
        }
    }

    @Test func electionStopsWhileTheBackendBlocks() async throws {
        let (election, _) = try bench.service("alone")
        let blocking = BlockingMetrics(wrapping: metrics)
        let observer = try ElectionObserver([election], metrics: blocking)
        var events = election.events.makeAsyncIterator()
        try await bench.during(election) {
            _ = try await events.next(.acquired)
            await blocking.blockade.waitUntilSomebodyIsBlocked()
        }
        let answer = try await InMemoryElectionProvider(store: bench.store).holders(of: [election.group]).first
        guard case .free = answer else {
            Issue.record("the lease was not given back: \(String(describing: answer))")
            return
        }
        blocking.blockade.open()
        #expect(await observer.flush(within: .seconds(60)))
        #expect(try value(.leading) == 0)
    }
}
#endif
