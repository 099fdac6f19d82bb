// SPDX-License-Identifier: MIT
#if ZooKeeper
import CElectionZooKeeper
import Foundation
import IntegrationSupport
import LeaderElection
import Testing

@testable import LeaderElectionZooKeeper

@Suite(.needs(.zookeeper), .timeLimit(.minutes(1)))
struct FencingTests {
    private let ensemble = Ensemble(.zookeeper)

    @Test
    func aLeaderThatWasPausedWritesNothing() async throws {
        let first = try Asker(try ensemble.provider(), "group", "first")
        let term = try await first.termSoon()
        let node = try #require(await first.provider.fencingNode(of: first.request.group, term: term))
        let resource = "\(ensemble.root)/resource"
        try await RawClient(ensemble.servers).create(resource)
        #expect(try write("first", to: resource, fencedBy: node) == 0)
        #expect(await first.provider.fencingNode(of: first.request.group, term: term + 1) == nil)

        // It asked whether it leads, was told that it does, and was then paused for longer than its session.
        await first.provider.store.dropSession(cause: nil, mustClose: true)
        let second = try Asker(try ensemble.provider(), "group", "second")
        let secondTerm = try await second.termSoon()
        let secondNode = try #require(await second.provider.fencingNode(of: second.request.group, term: secondTerm))
        #expect(try write("second", to: resource, fencedBy: secondNode) == 0)
        #expect(try write("too late", to: resource, fencedBy: node) == ZNONODE.rawValue)
        #expect(try await RawClient(ensemble.servers).text(resource) == "second")
        #expect(await first.provider.fencingNode(of: first.request.group, term: term) == nil)
    }

    /// What a user's own client does.
    private func write(_ text: String, to path: String, fencedBy node: String) throws -> Int32 {
        let handle = zookeeper_init2(
            ensemble.servers,
            nil,
            5000,
            nil,
            nil,
            ZOO_NO_LOG_CLIENTENV,
            ZooKeeperCallbacks.log
        )
        defer { zookeeper_close(handle) }
        let connected = ZOO_CONNECTED_STATE
        for _ in 0..<2000 where zoo_state(handle) != connected { usleep(2000) }
        return node.withCString { node in
            path.withCString { path in
                text.withCString { text in
                    var operations = [zoo_op_t(), zoo_op_t()]
                    var results = [zoo_op_result_t(), zoo_op_result_t()]
                    zoo_check_op_init(&operations[0], node, -1)
                    zoo_set_op_init(&operations[1], path, text, Int32(strlen(text)), -1, nil)
                    return zoo_multi(handle, 2, &operations, &results)
                }
            }
        }
    }
}
#endif
