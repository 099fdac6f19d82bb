// SPDX-License-Identifier: MIT

import LeaderElection
import LeaderElectionTesting
import Testing

// The code of the article on testing; `scripts/docs` compares them.

@Suite("The documentation's code for tests")
struct TestingWithTheKitTests {
    @Test("A leader whose store is away leads no longer than its lease")
    func aLeaderWhoseStoreIsAwayStepsDown() async throws {
        let clock = ManualClock()
        let store = FaultyProvider(
            wrapping: InMemoryElectionProvider(store: InMemoryElectionStore(clock: clock)),
            clock: clock
        )
        let election = try ElectionService("jobs", provider: store, clock: clock)
        try await withElection(election) { election in
            let leadership = try await election.waitForLeadership()
            store.replaceRules([FaultRule(.dropBeforeApplying)])

            // Ten seconds of lease are good for nine and a half: the engine keeps a margin.
            clock.advance(by: .seconds(10))
            #expect(!election.isLeader)
            #expect(throws: ElectionError.self) { try leadership.check() }

            // The store is back, so that the service can say goodbye.
            store.replaceRules([])
        }
    }

    @Test("The provider keeps its promises", arguments: ProviderConformance.cases(for: [.expiry, .transfer]))
    func conforms(_ promise: ProviderConformance.Case) async throws {
        let clock = ManualClock()
        let table = LeaseTable()
        try await promise.run(
            ProviderConformance(
                makeProvider: { TableProvider(table: table, clock: clock) },
                passTime: { clock.advance(by: $0) }
            )
        )
    }
}
