// SPDX-License-Identifier: MIT
#if ZooKeeper
import Foundation
import IntegrationSupport
import LeaderElection
import Testing

@testable import LeaderElectionZooKeeper

/// One queue for candidates of ours and of kazoo, the client that Python programs use.
@Suite(.needs(.zookeeper), .needsOther("kazoo", OtherClient.hasKazoo), .timeLimit(.minutes(1)))
struct KazooTests {
    private let ensemble = Ensemble(.zookeeper)

    @Test
    func candidatesOfBothLeadInTheOrderInWhichTheyCame() async throws {
        let path = "\(ensemble.root)/group"
        let first = try Asker(try ensemble.provider(), "group", "first")
        let firstTerm = try await first.termSoon()
        let second = try OtherClient.kazoo(ensemble.servers, path, "second")
        let client = try await RawClient(ensemble.servers)
        try await soon("kazoo's place") { try await client.children(path).count == 2 }
        let third = try Asker(try ensemble.provider(), "group", "third")
        #expect(try await third.holder() == "first")
        let fourth = try OtherClient.kazoo(ensemble.servers, path, "fourth")
        try await soon("kazoo's second place") { try await client.children(path).count == 4 }
        #expect(!second.said("leading") && !fourth.said("leading"))

        let hints = Hints(third.provider)
        _ = try await first.release(firstTerm)
        try await soon("kazoo's lead") { second.said("leading") }
        #expect(try await third.holder() == "second", "its name is what kazoo wrote")
        #expect(!fourth.said("leading"))
        second.end()
        try await soon("the hint from kazoo's release") { !hints.all.isEmpty }
        let thirdTerm = try await third.termSoon()
        #expect(thirdTerm > firstTerm)
        #expect(!fourth.said("leading"))
        // A crash of ours is as good as a release: the session ends.
        await third.provider.store.dropSession(cause: nil, mustClose: true)
        try await soon("kazoo's lead") { fourth.said("leading") }
        fourth.end()
    }
}
#endif
