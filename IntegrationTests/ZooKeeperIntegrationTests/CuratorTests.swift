// SPDX-License-Identifier: MIT
#if ZooKeeper
import IntegrationSupport
import LeaderElection
import Testing

@testable import LeaderElectionZooKeeper

/// One queue for candidates of ours and of Curator, the client that Java programs use.
@Suite(.needs(.zookeeper), .needsOther("Curator", OtherClient.hasCurator), .timeLimit(.minutes(2)))
struct CuratorTests {
    private let ensemble = Ensemble(.zookeeper)

    @Test(arguments: [ZooKeeperQueueNaming.curatorLatch, .curatorLock])
    func candidatesOfBothLeadInTheOrderInWhichTheyCame(naming: ZooKeeperQueueNaming) async throws {
        let group = "group-\(naming.rawValue)"
        let path = "\(ensemble.root)/\(group)"
        let client = try await RawClient(ensemble.servers)
        func settled(_ count: Int) async throws {
            try await soon("place \(count)", within: .seconds(30)) { try await client.children(path).count == count }
        }
        let first = try Asker(try ensemble.provider(naming: naming), group, "first")
        let firstTerm = try await first.termSoon()
        let second = try OtherClient.curator(ensemble.servers, path, "second", naming.rawValue)
        try await settled(2)
        let third = try Asker(try ensemble.provider(naming: naming), group, "third")
        #expect(try await third.holder() == "first")
        let fourth = try OtherClient.curator(ensemble.servers, path, "fourth", naming.rawValue)
        try await settled(4)
        #expect(!second.said("leading") && !fourth.said("leading"))

        let hints = Hints(third.provider)
        _ = try await first.release(firstTerm)
        try await soon("Curator's lead") { second.said("leading") }
        // A latch writes its name, a lock an address.
        let holder = try await third.holder()
        #expect(naming == .curatorLatch ? holder == "second" : holder?.isEmpty == false)
        #expect(!fourth.said("leading"))
        #expect(hints.warnings.isEmpty, "these names are those of the recipe")
        second.end()
        try await soon("the hint from Curator's release") { !hints.all.isEmpty }
        let thirdTerm = try await third.termSoon()
        #expect(thirdTerm > firstTerm)
        #expect(!fourth.said("leading"))
        _ = try await third.release(thirdTerm)
        try await soon("Curator's lead") { fourth.said("leading") }
        fourth.end()
    }
}
#endif
