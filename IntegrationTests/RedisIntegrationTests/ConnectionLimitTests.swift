// SPDX-License-Identifier: MIT
#if Redis
import LeaderElection
import Testing

@testable import LeaderElectionRedis

/// A server with room for one connection of a process: it is for commands, and push does without.
@Suite(.needsOwnRedis, .ownThread, .timeLimit(.minutes(2)))
struct ConnectionLimitTests {
    enum Arrangement: String, CaseIterable {
        case single = "redis"
        case cluster = "redis+cluster"

        var options: [String] { ["save \"\"", "appendonly no", "cluster-enabled \(self == .cluster ? "yes" : "no")"] }
    }

    /// A server's URL, and a connection to it that is always there.
    private func withServer(
        _ arrangement: Arrangement,
        _ body: (_ url: String, _ admin: any RedisNode) async throws -> Void
    ) async throws {
        let server = try await OwnRedis(arrangement.options)
        if arrangement == .cluster { try await server.cli("cluster", "addslotsrange", "0", "16383") }
        try await withNode(server.url) { admin, _ in
            if arrangement == .cluster {
                #expect(try await eventually { try await text(of: admin, "CLUSTER").contains("cluster_state:ok") })
            }
            try await body("\(arrangement.rawValue)://127.0.0.1:\(server.port)/0", admin)
        }
    }

    /// What a server says of its clients, or of its cluster.
    private func text(of node: any RedisNode, _ subject: String) async throws -> String {
        let words = subject == "CLUSTER" ? ["CLUSTER", "INFO"] : ["INFO", subject]
        let answer = try await node.send([RedisCommand(words)], timeout: .seconds(5))[0]
        guard case .bulk(let bytes) = answer else { return "" }
        return String(decoding: bytes, as: UTF8.self)
    }

    private func limit(_ node: any RedisNode, to clients: Int) async throws {
        #expect(try await node.send("CONFIG", "SET", "maxclients", "\(clients)") == .status("OK"))
    }

    /// Whether a command is answered, sooner or later.
    private func isAnswered(_ node: any RedisNode) async throws -> Bool {
        try await eventually { (try? await node.send("PING", timeout: .seconds(1))) == .status("PONG") }
    }

    @Test(arguments: Arrangement.allCases)
    func theOnlyConnectionIsForCommands(_ arrangement: Arrangement) async throws {
        try await withServer(arrangement) { url, admin in
            for _ in 0..<5 {
                try await limit(admin, to: 2)
                try await withNode(url) { node, topology in
                    let pushes = Pushes()
                    let subscription = topology.subscribe(
                        channel: "c",
                        patience: { .milliseconds(250) },
                        pushes.receive
                    )
                    #expect(try await isAnswered(node))
                    #expect(try await eventually { !pushes.interruptions.isEmpty })
                    #expect(try await isAnswered(node))
                    #expect(pushes.subscriptions == 0)
                    try await limit(admin, to: 3)
                    #expect(try await eventually { pushes.subscriptions == 1 })
                    subscription.cancel()
                }
                // All of them are gone before the next ones come.
                #expect(
                    try await eventually { field("connected_clients", try await text(of: admin, "CLIENTS")) == 1 }
                )
            }
        }
    }

    @Test(arguments: Arrangement.allCases)
    func pushGivesWayToCommandsThatLostTheirConnection(_ arrangement: Arrangement) async throws {
        try await withServer(arrangement) { url, admin in
            try await withNode(url) { node, topology in
                let pushes = Pushes()
                let subscription = topology.subscribe(channel: "c", patience: { .milliseconds(250) }, pushes.receive)
                #expect(try await eventually { pushes.subscriptions == 1 })
                #expect(try await isAnswered(node))
                try await limit(admin, to: 2)
                #expect(try await admin.send("CLIENT", "KILL", "TYPE", "normal") == .integer(1))
                #expect(try await isAnswered(node))
                #expect(pushes.interruptions.first?.message.contains("so that push gives way") == true)
                try await limit(admin, to: 3)
                #expect(try await eventually { pushes.subscriptions == 2 })
                subscription.cancel()
            }
        }
    }
}
#endif
