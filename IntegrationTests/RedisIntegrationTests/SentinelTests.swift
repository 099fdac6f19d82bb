// SPDX-License-Identifier: MIT
#if Redis
import IntegrationSupport
import LeaderElection
import Testing

@testable import LeaderElectionRedis

@Suite("Redis: sentinels", .serialized, .needsOwn(.redisSentinel), .timeLimit(.minutes(5)))
struct SentinelTests {
    @Test("The primary is found, and followed when it is killed; the old one comes back as a replica and is left alone")
    func failOver() async throws {
        try await PrivateServer.with(.redisSentinel) { server in
            try await withNode(server.url) { node, topology in
                let before = try await node.connect(timeout: .seconds(10))
                #expect(before.role == .primary)
                #expect(before.address.hasSuffix(":\(server.port(of: .redisSentinel) - 5)"), "\(before.address)")
                let pushes = Pushes()
                let subscription = topology.subscribe(channel: "news", pushes.receive)
                _ = try await eventually("the subscription") { pushes.subscriptions == 1 ? true : nil }
                #expect(try await node.send("SET", "a", "1") == .status("OK"))
                #expect(try await node.send("WAIT", "2", "5000") == .integer(2))

                try await server.kill("redis-sentinel/primary")
                let failed = await failure { try await node.send("PING") }
                #expect(failed?.code == .storeUnavailable, "\(failed?.message ?? "no error")")
                _ = try await eventually("a write") {
                    try await node.send("SET", "b", "2") == .status("OK") ? true : nil
                }
                let after = try #require(await node.connectedServer)
                #expect(after.role == .primary)
                #expect(after.address != before.address)
                #expect(after.runID != before.runID)
                #expect(after.replicationID != before.replicationID)
                #expect(try await node.send("GET", "a").text == "1")
                // The sentinels' word of the switch can come after the subscription was made anew, and moves it again.
                _ = try await eventually("a subscriber at the new primary") {
                    try await node.send("PUBLISH", "news", "x") == .integer(1) ? true : nil
                }
                _ = try await eventually("the message") { pushes.messages.isEmpty ? nil : true }
                #expect(pushes.subscriptions >= 2)

                try await server.start("redis-sentinel/primary")
                _ = try await eventually("its becoming a replica") {
                    try await server.redis("ROLE", on: "redis-sentinel/primary").contains("slave") ? true : nil
                }
                #expect(await node.connectedServer?.connection == after.connection)
                #expect(try await node.send("SET", "c", "3") == .status("OK"))
                subscription.cancel()
            }
        }
    }

    @Test("A fail-over by the operator is followed at once, without a call that fails on the way")
    func orderedFailOver() async throws {
        try await PrivateServer.with(.redisSentinel) { server in
            try await withNode(server.url) { node, _ in
                let before = try await node.connect(timeout: .seconds(10))
                // Heard of by the sentinels' push alone: no call is made until the connection is gone.
                _ = try await eventually("the watch") {
                    try await server.redis("CLIENT", "LIST", "TYPE", "pubsub", on: "redis-sentinel/sentinel1")
                        .contains("name=leader-election") ? true : nil
                }
                _ = try await eventually("the order") {
                    try await server.redis("SENTINEL", "FAILOVER", "elections", on: "redis-sentinel/sentinel1")
                        .contains("OK") ? true : nil
                }
                _ = try await eventually("the switch") { await node.connectedServer == nil ? true : nil }
                _ = try await eventually("a write") {
                    try await node.send("SET", "a", "1") == .status("OK") ? true : nil
                }
                #expect(await node.connectedServer?.address != before.address)
                #expect(await node.connectedServer?.role == .primary)
            }
        }
    }

    @Test("A sentinel that is gone is passed over; a wrong name and a wrong kind of server are said as such")
    func mistakes() async throws {
        try await PrivateServer.with(.redisSentinel) { server in
            let first = server.port(of: .redisSentinel)
            try await server.kill("redis-sentinel/sentinel1")
            try await withNode("redis+sentinel://127.0.0.1:\(first),127.0.0.1:\(first + 1)/elections") { node, _ in
                let answer = try await node.send("PING", timeout: .seconds(10))
                #expect(answer == .status("PONG"))
            }
            try await withNode("redis+sentinel://127.0.0.1:\(first + 1)/nobody") { node, _ in
                let error = await failure { try await node.send("PING", timeout: .seconds(10)) }
                #expect(error?.code == .storeUnavailable)
                #expect(error?.message.contains("\"nobody\"") == true, "\(error?.message ?? "no error")")
            }
            try await withNode("redis+sentinel://127.0.0.1:\(first - 5)/elections") { node, _ in
                let error = await failure { try await node.send("PING", timeout: .seconds(10)) }
                #expect(error?.code == .storeUnsuitable)
                #expect(error?.message.contains("no sentinel") == true, "\(error?.message ?? "no error")")
            }
            try await withNode("redis+sentinel://127.0.0.1:1,127.0.0.1:2/elections") { node, _ in
                let error = await failure { try await node.send("PING", timeout: .seconds(10)) }
                #expect(error?.code == .storeUnavailable)
                #expect(
                    error?.message.contains("nothing listens at 127.0.0.1:1") == true,
                    "\(error?.message ?? "no error")"
                )
            }
            try await server.redis(
                "ACL",
                "SETUSER",
                "default",
                "resetpass",
                ">sentinel-secret",
                on: "redis-sentinel/sentinel2"
            )
            try await withNode("redis+sentinel://127.0.0.1:\(first + 1)/elections") { node, _ in
                let error = await failure { try await node.send("PING", timeout: .seconds(10)) }
                #expect(error?.code == .storeRefused, "\(error?.message ?? "no error")")
            }
            let url = "redis+sentinel://127.0.0.1:\(first + 1)/elections?sentinel-password=sentinel-secret"
            try await withNode(url) { node, _ in
                let answer = try await node.send("PING", timeout: .seconds(10))
                #expect(answer == .status("PONG"))
            }
        }
    }
}
#endif
