// SPDX-License-Identifier: MIT

import LeaderElection
import LeaderElectionTesting
import Testing

@Suite("In-memory provider", .timeLimit(.minutes(2)))
struct InMemoryConformanceTests {
    @Test(
        "keeps the promise:",
        arguments: ProviderConformance.cases(for: [
            .expiry, .remaining, .observedTakeover, .hints, .wipe, .crash, .everyGroupName, .notes, .quietNotes,
            .transfer,
        ])
    )
    func conforms(_ conformanceCase: ProviderConformance.Case) async throws {
        let clock = ManualClock()
        let store = InMemoryElectionStore(clock: clock)
        try await conformanceCase.run(
            ProviderConformance(
                makeProvider: { InMemoryElectionProvider(store: store) },
                passTime: { clock.advance(by: $0) },
                crash: { _ in },
                wipe: { store.wipe() }
            )
        )
    }
}
