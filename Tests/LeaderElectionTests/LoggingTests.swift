// SPDX-License-Identifier: MIT

import InMemoryLogging
import LeaderElection
import LeaderElectionTesting
import Logging
import Testing

@Suite(.timeLimit(.minutes(2))) struct LoggingTests {
    let harness = ServiceHarness()
    let log = InMemoryLogHandler()

    private func service(_ group: String, provider: FaultyProvider) throws -> ElectionService {
        var logger = Logger(label: "test") { [log] _ in log }
        logger.logLevel = .trace
        return try ElectionService(
            group,
            provider: provider,
            configuration: ElectionConfiguration(candidate: "me"),
            clock: harness.clock,
            logger: logger
        )
    }

    @Test func whatIsLoggedNamesGroupCandidateTermAndReason() async throws {
        let provider = FaultyProvider(wrapping: harness.provider(), clock: harness.clock)
        let election = try service("group", provider: provider)
        var term: Int64?
        var events = election.events.makeAsyncIterator()
        try await harness.during(election) { election in
            term = try await election.waitForLeadership().term
            election.stop()
            _ = try await events.next(.stopped)
        }
        let leading = try #require(log.entries.first { $0.message == "leading" })
        #expect(leading.level == .notice)
        #expect(leading.metadata["election-group"] == "group")
        #expect(leading.metadata["election-candidate"] == "me")
        #expect(leading.metadata["election-term"] == "\(try #require(term))")
        let ended = try #require(log.entries.first { $0.metadata["election-reason"] == "stopped" })
        #expect(ended.level == .notice)
        #expect(ended.metadata["election-term"] == leading.metadata["election-term"])
    }

    @Test func storeThatIsAwayIsOneLoudLineForAllItsGroups() async throws {
        let provider = FaultyProvider(
            wrapping: harness.provider(),
            clock: harness.clock,
            rules: [FaultRule(.dropBeforeApplying)]
        )
        let elections = try (0..<20).map { try service("group-\($0)", provider: provider) }
        var running: [Task<Void, any Error>] = []
        for election in elections {
            var events = election.events.makeAsyncIterator()
            running.append(Task { try await election.run() })
            _ = try await events.next(.error)
        }
        let errors = log.entries.filter { $0.metadata["election-error"] != nil }
        #expect(errors.count == 20)
        #expect(errors.filter { $0.level == .error }.count == 1)
        #expect(errors.filter { $0.level == .debug }.count == 19)
        for election in elections { election.stop() }
        let passing = Task { try await harness.clock.passTime() }
        for task in running { try await task.value }
        passing.cancel()
    }

    @Test func storeThatGrantsNothingSaysWhyOnceForEachGroup() async throws {
        let loss = Fault.deferral(for: .seconds(9), reason: "its data is gone")
        let rule = FaultRule(loss, when: .first(60), on: [.acquire])
        let provider = FaultyProvider(wrapping: harness.provider(), clock: harness.clock, rules: [rule])
        let elections = try (0..<20).map { try service("group-\($0)", provider: provider) }
        var readers = elections.map { $0.events.makeAsyncIterator() }
        let running = elections.map { election in Task { try await election.run() } }
        let start = harness.clock.now
        for index in elections.indices {
            let event = try await readers[index].next(.deferred)
            #expect(event.reason?.rawValue == "its data is gone" && event.term == nil)
            #expect(event.retryAt == start + .seconds(9))
            #expect(event.description == "deferred group-\(index) (its data is gone)")
        }
        // Twice more each of them is put off, of which nobody needs to hear.
        try await harness.steadily {
            for var reader in elections.map({ $0.events.makeAsyncIterator() }) {
                while let event = await reader.next(), event.kind != .acquired { #expect(event.kind != .deferred) }
            }
        }
        #expect(provider.faultCounts == [60])
        let told = log.entries.filter { $0.message == "nobody may lead for 9 s: its data is gone" }
        #expect(told.count == 20 && told.count { $0.level == .warning } == 1)
        for election in elections { election.stop() }
        let passing = Task { try await harness.clock.passTime() }
        for task in running { try await task.value }
        passing.cancel()
    }
}
