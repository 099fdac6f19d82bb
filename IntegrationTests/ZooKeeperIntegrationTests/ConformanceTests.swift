// SPDX-License-Identifier: MIT
#if ZooKeeper
import IntegrationSupport
import LeaderElection
import LeaderElectionTesting
import Testing

@testable import LeaderElectionZooKeeper

@Suite(.needs(.zookeeper), .serialized, .timeLimit(.minutes(2)))
struct ConformanceTests {
    @Test(
        arguments: ProviderConformance.cases(
            for: [.expiry, .hints, .endsWithProvider, .everyGroupName, .notes, .quietNotes, .transfer]
        )
    )
    func keepsThePromisesOfAProvider(_ promise: ProviderConformance.Case) async throws {
        let server = Ensemble(.zookeeper)
        try await promise.run(
            ProviderConformance(
                makeProvider: { try server.provider() },
                passTime: { try await Task.sleep(for: $0) },
                leaseDuration: .seconds(4)
            )
        )
    }
}
#endif
