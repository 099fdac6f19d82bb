// SPDX-License-Identifier: MIT
#if Redis
import Foundation
import IntegrationSupport
import LeaderElection
import Testing

@testable import LeaderElectionRedis

@Suite("Redis: clusters", .serialized, .needsOwn(.redisCluster), .timeLimit(.minutes(5)))
struct ClusterTests {
    private let script = RedisScript(source: "return redis.call('INCR', KEYS[1])")

    @Test("Each key is asked for where it lives; push reaches the node of the channel")
    func keys() async throws {
        try await PrivateServer.with(.redisCluster) { server in
            let topology = try RedisTopologies.make(RedisURL(server.url).settings)
            defer { topology.close() }
            var addresses: Set<String> = []
            for number in 0..<60 {
                let key = "{group-\(number)}:lease"
                let node = try await topology.node(forKey: key)
                let answers = try await node.run(
                    script,
                    keys: [key],
                    arguments: [],
                    followedBy: [RedisCommand("WAIT", "0", "0")],
                    timeout: .seconds(10)
                )
                #expect(answers.count == 2)
                #expect(answers[0] == .integer(1))
                let answer = try await server.redis("CLUSTER", "KEYSLOT", key, on: "redis-cluster/1")
                #expect(answer.contains("\(topology.slot(ofKey: key))"))
                let info = try await node.connect(timeout: .seconds(5))
                #expect(info.isClusterMember)
                addresses.insert(info.address)
            }
            #expect(addresses.count == 3)
            let primaries = try await topology.nodes()
            #expect(primaries.count == 3)

            for channel in ["{group-1}:hints", "{group-2}:hints", "{group-3}:hints"] {
                let node = try await topology.node(forKey: channel)
                let info = try await node.connect(timeout: .seconds(5))
                let pushes = Pushes()
                let subscription = topology.subscribe(channel: channel, pushes.receive)
                _ = try await eventually("the subscription") { pushes.subscriptions == 1 ? true : nil }
                let publish = RedisScript(source: "return redis.call(ARGV[1], KEYS[1], ARGV[2])")
                let verb = topology.publishCommand(for: info)
                #expect(verb == "SPUBLISH")
                for (verb, text) in [(verb, "sharded"), ("PUBLISH", "classic")] {
                    let arguments = [Array(verb.utf8), Array(text.utf8)]
                    let answer = try await node.run(
                        publish,
                        keys: [channel],
                        arguments: arguments,
                        timeout: .seconds(5)
                    )
                    #expect(answer == [.integer(1)])
                }
                _ = try await eventually("the messages") {
                    Set(pushes.messages) == ["sharded", "classic"] ? true : nil
                }
                #expect(pushes.messages.count == 2)
                subscription.cancel()
            }
        }
    }

    @Test("A slot that moves while it is used is followed, command by command; so is push")
    func movingSlot() async throws {
        try await PrivateServer.with(.redisCluster) { server in
            let topology = try RedisTopologies.make(RedisURL(server.url).settings)
            defer { topology.close() }
            let key = "{moving}:counter"
            let slot = "\(topology.slot(ofKey: key))"
            let node = try await topology.node(forKey: key)
            var expected: Int64 = 0
            func count() async throws {
                expected += 1
                let answers = try await node.run(
                    script,
                    keys: [key],
                    arguments: [],
                    followedBy: [RedisCommand("PING")],
                    timeout: .seconds(10)
                )
                #expect(answers == [.integer(expected), .status("PONG")])
            }
            try await count()
            let pushes = Pushes()
            let subscription = topology.subscribe(channel: "{moving}:hints", pushes.receive)
            _ = try await eventually("the subscription") { pushes.subscriptions == 1 ? true : nil }

            let base = server.port(of: .redisCluster)
            let source = try await node.connect(timeout: .seconds(5)).address
            let sourcePort = try #require(UInt16(source.split(separator: ":").last ?? ""))
            let targetPort = [base, base + 1, base + 2].first { $0 != sourcePort } ?? base
            let (from, to) = ("redis-cluster/\(sourcePort - base + 1)", "redis-cluster/\(targetPort - base + 1)")
            func id(_ name: String) async throws -> String {
                try await server.redis("CLUSTER", "MYID", on: name).trimmingCharacters(in: .whitespacesAndNewlines)
            }
            let (fromID, toID) = (try await id(from), try await id(to))
            try await server.redis("CLUSTER", "SETSLOT", slot, "IMPORTING", fromID, on: to)
            try await server.redis("CLUSTER", "SETSLOT", slot, "MIGRATING", toID, on: from)
            try await count()  // still at the source
            try await server.redis("MIGRATE", "127.0.0.1", "\(targetPort)", key, "0", "5000", on: from)
            try await count()  // ASK
            // Commands of one slot, some of which are redirected.
            let batch = [RedisCommand("GET", key), RedisCommand("PING"), RedisCommand("GET", "{moving}:none")]
            let values = try await node.send(batch, timeout: .seconds(10))
            #expect(values == [.bulk(Array("\(expected)".utf8)), .status("PONG"), .null])
            for name in [to, from] { try await server.redis("CLUSTER", "SETSLOT", slot, "NODE", toID, on: name) }
            try await count()  // MOVED
            try await count()
            #expect(try await node.connect(timeout: .seconds(5)).address.hasSuffix(":\(targetPort)"))
            _ = try await eventually("the subscription at the new node") { pushes.subscriptions >= 2 ? true : nil }
            let publish = [RedisCommand("SPUBLISH", "{moving}:hints", "x")]
            _ = try await eventually("a listener") {
                try await node.send(publish, timeout: .seconds(5)) == [.integer(1)] ? true : nil
            }
            _ = try await eventually("the message") { pushes.messages == ["x"] ? true : nil }
            subscription.cancel()
        }
    }

    @Test("A killed node: its slots go on at its replica; those that nobody has are said to be down")
    func killedNode() async throws {
        try await PrivateServer.with(.redisCluster) { server in
            let topology = try RedisTopologies.make(RedisURL(server.url).settings)
            defer { topology.close() }
            let key = "{killed}:counter"
            let node = try await topology.node(forKey: key)
            let before = try await node.connect(timeout: .seconds(10))
            let pushes = Pushes()
            let subscription = topology.subscribe(channel: key, pushes.receive)
            _ = try await eventually("the subscription") { pushes.subscriptions == 1 ? true : nil }
            let base = server.port(of: .redisCluster)
            func name(_ address: String) throws -> String {
                "redis-cluster/\(try #require(UInt16(address.split(separator: ":").last ?? "")) - base + 1)"
            }
            try await server.kill(try name(before.address))
            // One call outlasts the fail-over.
            #expect(try await node.send([RedisCommand("SET", key, "1")], timeout: .seconds(60)) == [.status("OK")])
            let after = try #require(await node.connectedServer)
            #expect(after.address != before.address)
            #expect(after.runID != before.runID)
            _ = try await eventually("the subscription") { pushes.subscriptions >= 2 ? true : nil }
            // Now the replica as well: nobody is left.
            try await server.kill(try name(after.address))
            let error = try await eventually("the outage") { () -> ElectionError? in
                let answer: RedisValue
                do { answer = try await node.send("SET", key, "1") } catch { return error as? ElectionError }
                return answer.error?.electionError("here")
            }
            #expect(error.code == .storeUnavailable)
            let other = try await topology.node(forKey: "{other}")
            _ = try await eventually("CLUSTERDOWN of the others") {
                try await other.send("SET", "{other}", "1").error?.prefix == "CLUSTERDOWN" ? true : nil
            }
            try await server.start(try name(after.address))
            _ = try await eventually("a write", within: .seconds(90)) {
                try await node.send("SET", key, "2") == .status("OK") ? true : nil
            }
            subscription.cancel()
        }
    }

    @Test("One node of a cluster, taken for a server of its own, is said to be none")
    func singleNode() async throws {
        try await PrivateServer.with(.redisCluster) { server in
            try await withNode("redis://127.0.0.1:\(server.port(of: .redisCluster))") { node, _ in
                let keys = ["{a}", "{b}", "{c}", "{d}", "{e}", "{f}", "{g}", "{h}"]
                let answers = try await node.send(keys.map { RedisCommand("GET", $0) }, timeout: .seconds(10))
                let errors = answers.compactMap { $0.error?.electionError("here") }
                let error = try #require(errors.first)
                #expect(error.code == .storeUnsuitable)
                #expect(error.message.contains("redis+cluster://"))
            }
        }
    }

    @Test("A server that is in no cluster, and a cluster by the URL of a single server")
    func mistakes() async throws {
        try await PrivateServer.with(.redis) { server in
            try await withNode("redis+cluster://127.0.0.1:\(server.port)") { node, _ in
                let error = await failure { try await node.send("PING", timeout: .seconds(10)) }
                #expect(error?.code == .storeUnsuitable)
                #expect(error?.message.contains("redis://") == true, "\(error?.message ?? "no error")")
            }
        }
        try await withNode("redis+cluster://127.0.0.1:1,127.0.0.1:2") { node, _ in
            let error = await failure { try await node.send("PING", timeout: .seconds(10)) }
            #expect(error?.code == .storeUnavailable)
            #expect(error?.message.contains("nothing listens") == true, "\(error?.message ?? "no error")")
        }
    }
}
#endif
