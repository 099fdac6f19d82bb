// SPDX-License-Identifier: MIT
#if ZooKeeper
import IntegrationSupport
import LeaderElection
import LeaderElectionTesting
import Testing

@testable import LeaderElectionZooKeeper

@Suite(.needs(.zookeeper), .timeLimit(.minutes(2)))
struct ConformanceTests {
    @Test(arguments: ProviderConformance.cases(for: [.expiry, .hints, .endsWithProvider, .everyGroupName]))
    func keepsThePromisesOfAProvider(_ promise: ProviderConformance.Case) async throws {
        let server = Ensemble(.zookeeper)
        // A longer tick than the servers have: all cases begin at once, and slow answers prove nothing.
        try await promise.run(
            ProviderConformance(
                makeProvider: { ZooKeeperElectionProvider(try server.settings(tickTime: .milliseconds(500))) },
                passTime: { try await Task.sleep(for: $0) },
                // The session's creation, which the first leases count from, may be slow while all cases begin at once.
                leaseDuration: .seconds(10)
            )
        )
    }
}
#endif
