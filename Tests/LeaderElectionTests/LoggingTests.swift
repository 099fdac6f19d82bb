// SPDX-License-Identifier: MIT

import InMemoryLogging
import LeaderElection
import LeaderElectionTesting
import Logging
import Testing

@Suite struct LoggingTests {
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
}
