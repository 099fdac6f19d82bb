// SPDX-License-Identifier: MIT

import LeaderElection
import LeaderElectionTesting
import Testing

/// The tools together, on the real service: time moves only when the test says so, and faults strike when it says so.
@Suite("Service under faults", .timeLimit(.minutes(2)))
struct ServiceUnderFaultsTests {
    private let clock = ManualClock()
    private let store: InMemoryElectionStore

    init() { store = InMemoryElectionStore(clock: clock) }

    private func provider(_ rules: [FaultRule]) -> FaultyProvider {
        FaultyProvider(
            wrapping: InMemoryElectionProvider(store: store),
            clock: clock,
            seed: 1,
            rules: rules
        )
    }

    /// Runs the service for as long as the body lasts.
    private func run(
        over provider: FaultyProvider,
        _ body: (ElectionService) async throws -> Void
    ) async throws {
        let service = try ElectionService("jobs", provider: provider, clock: clock)
        try await withThrowingTaskGroup(of: Void.self) { tasks in
            tasks.addTask { try await service.run() }
            try await body(service)
            tasks.cancelAll()
            provider.releaseHung()
            try await tasks.waitForAll()
        }
    }

    @Test("a renewal that hangs for ever does not prolong leadership by a nanosecond")
    func hangingRenewal() async throws {
        let faulty = provider([
            FaultRule(.hangDeafly, when: .first(1), on: [.renew]),
            FaultRule(.dropBeforeApplying, when: .after(1), on: [.renew]),
        ])
        let start = clock.now
        try await run(over: faulty) { service in
            // One reader for both: the service may lead again, in a new term, right after the loss.
            var changes = service.changes.makeAsyncIterator()
            while let change = await changes.next(), !change.becameLeader {}
            // 10 s - 0.2 % for clocks that drift - 0.5 s of margin.
            let deadline = start.advanced(by: .milliseconds(9_480))
            clock.advance(by: .seconds(4))
            try await faulty.waitForSuspendedCalls(1)
            clock.advance(to: deadline.advanced(by: .nanoseconds(-1)))
            // Not `isLeader` below: from the deadline on the service may lead again, in a new term.
            let leadership = try #require(service.leadership)
            clock.advance(to: deadline)
            #expect(!leadership.isValid)
            while let change = await changes.next(), !change.lostLeadership {}
        }
    }
}
