// SPDX-License-Identifier: MIT
#if Consul
import IntegrationSupport
import LeaderElection
import LeaderElectionTesting
import Testing

@testable import LeaderElectionConsul

@Suite(.needs(.consul), .serialized, .timeLimit(.minutes(2)))
struct ConformanceTests {
    /// Consul ends a session only after twice its time, and a lock-delay: the cases of expiry do not apply.
    @Test(
        arguments: ProviderConformance.cases(
            for: [.hints, .endsWithProvider, .everyGroupName, .notes, .quietNotes, .transfer]
        )
    )
    func keepsThePromisesOfAProviderWithSessions(_ promise: ProviderConformance.Case) async throws {
        let agent = Agent(.consul)
        try await promise.run(
            ProviderConformance(
                makeProvider: { try agent.provider(.session) },
                passTime: { try await Task.sleep(for: $0) },
                leaseDuration: .seconds(10)
            )
        )
    }

    @Test(
        arguments: ProviderConformance.cases(
            for: [.expiry, .hints, .observedTakeover, .everyGroupName, .notes, .quietNotes, .transfer]
        )
    )
    func keepsThePromisesOfAProviderWithoutSessions(_ promise: ProviderConformance.Case) async throws {
        let agent = Agent(.consul)
        try await promise.run(
            ProviderConformance(
                makeProvider: { try agent.provider(.cas) },
                passTime: { try await Task.sleep(for: $0) },
                leaseDuration: .seconds(2)
            )
        )
    }
}
#endif
