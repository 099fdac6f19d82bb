// SPDX-License-Identifier: MIT
#if Redis
import IntegrationSupport
import LeaderElection
import Synchronization
import Testing

@testable import LeaderElectionRedis

@Suite("Redis: connections to a real server", .serialized, .needsOwn(.redis), .timeLimit(.minutes(5)))
struct TransportTests {
    @Test("Valkey is spoken to like Redis, and known by its own version", .needsOwn(.valkey))
    func valkey() async throws {
        try await PrivateServer.with(.valkey) { server in
            try await withNode(server.url) { node, topology in
                let info = try await node.connect(timeout: .seconds(5))
                #expect(info.product == "valkey")
                #expect(info.version?.hasPrefix("7.2.4") == false)
                #expect(info.runID?.count == 40)
                #expect(info.role == .primary)
                let pushes = Pushes()
                let subscription = topology.subscribe(channel: "news", pushes.receive)
                _ = try await eventually("the subscription") { pushes.subscriptions == 1 ? true : nil }
                let script = RedisScript(source: "return redis.call('PUBLISH', KEYS[1], ARGV[1])")
                let answers = try await node.run(script, keys: ["news"], arguments: [[65]], timeout: .seconds(5))
                #expect(answers == [.integer(1)])
                _ = try await eventually("the message") { pushes.messages == ["A"] ? true : nil }
                subscription.cancel()
            }
        }
    }

    @Test("Commands, scripts, push; what the server says of itself")
    func words() async throws {
        try await PrivateServer.with(.redis) { server in
            try await withNode(server.url + "?client-name=someone") { node, topology in
                let info = try await node.connect(timeout: .seconds(5))
                let uptime = try #require(info.uptime)
                #expect(info.role == .primary)
                #expect(info.runID?.count == 40)
                #expect(info.replicationID?.count == 40)
                #expect(info.version?.isEmpty == false)
                #expect(info.maxMemoryPolicy == "noeviction")
                #expect(info.isAppendOnly == false)
                #expect(!info.isClusterMember)
                #expect(uptime < .seconds(600))
                #expect(try await server.redis("CLIENT", "LIST").contains("name=someone"))

                #expect(try await node.send("SET", "a", "é") == .status("OK"))
                #expect(try await node.send("GET", "a") == .bulk(Array("é".utf8)))
                #expect(try await node.send("NONSENSE").error?.prefix == "ERR")

                let pushes = Pushes()
                let subscription = topology.subscribe(channel: "news", pushes.receive)
                _ = try await eventually("the subscription") { pushes.subscriptions == 1 ? true : nil }
                let script = RedisScript(source: "return redis.call('PUBLISH', KEYS[1], ARGV[1])")
                #expect(try await server.redis("SCRIPT", "LOAD", script.source).contains(script.digest))
                for number in 0..<2 {
                    if number == 1 { try await server.redis("SCRIPT", "FLUSH") }
                    let answers = try await node.run(
                        script,
                        keys: ["news"],
                        arguments: [Array("\(number)".utf8)],
                        followedBy: [RedisCommand("WAIT", "0", "0")],
                        timeout: .seconds(5)
                    )
                    #expect(answers == [.integer(1), .integer(0)])
                }
                _ = try await eventually("the messages") { pushes.messages == ["0", "1"] ? true : nil }
                subscription.cancel()
                _ = try await eventually("the end of the second connection") {
                    try await server.redis("CLIENT", "LIST", "TYPE", "pubsub").isEmpty ? true : nil
                }
            }
            _ = try await eventually("the end of all connections") {
                try await server.redis("CLIENT", "LIST").contains("name=leader-election") ? nil : true
            }
        }
    }

    @Test("Ten thousand commands in one write, and from a thousand tasks at once, each with its own answer")
    func pipelining() async throws {
        try await PrivateServer.with(.redis) { server in
            try await withNode(server.url) { node, _ in
                let commands = (0..<10_000).map { RedisCommand("ECHO", "\($0)") }
                let answers = try await node.send(commands, timeout: .seconds(30))
                #expect(answers == (0..<10_000).map { .bulk(Array("\($0)".utf8)) })
                try await withThrowingTaskGroup(of: Bool.self) { group in
                    for number in 0..<1000 {
                        group.addTask {
                            try await node.send("ECHO", "\(number)", timeout: .seconds(30)).text == "\(number)"
                        }
                    }
                    for try await isRight in group { #expect(isRight) }
                }
                let large = String(repeating: "x", count: 8 << 20)
                #expect(try await node.send("SET", "large", large, timeout: .seconds(30)) == .status("OK"))
                #expect(try await node.send("GET", "large", timeout: .seconds(30)).text == large)
                let stats = try await server.redis("INFO", "clients")
                #expect(field("connected_clients", stats) == 2)
            }
        }
    }

    @Test("A killed server: calls fail at once, and work again when it is back")
    func killed() async throws {
        try await PrivateServer.with(.redis) { server in
            try await withNode(server.url) { node, topology in
                let pushes = Pushes()
                let subscription = topology.subscribe(channel: "news", pushes.receive)
                let before = try await node.connect(timeout: .seconds(5))
                _ = try await eventually("the subscription") { pushes.subscriptions == 1 ? true : nil }
                try await server.kill()
                _ = try await eventually("the loss") { await node.connectedServer == nil ? true : nil }
                let start = ContinuousClock.now
                var codes: Set<ElectionError.Code> = []
                for _ in 0..<1000 { codes.insert(await failure { try await node.send("PING") }?.code ?? .stopped) }
                #expect(codes == [.storeUnavailable])
                #expect(ContinuousClock.now - start < .seconds(20))
                // Calls that are held back repeat the last cause; the next attempt to connect finds the present one.
                _ = try await eventually("the refusal") {
                    let error = await failure { try await node.send("PING") }
                    return error?.message.contains("nothing listens at 127.0.0.1:\(server.port)") == true ? true : nil
                }
                try await server.start()
                _ = try await eventually("the reconnect") {
                    try await node.send("PING") == .status("PONG") ? true : nil
                }
                _ = try await eventually("the subscription") { pushes.subscriptions == 2 ? true : nil }
                let after = try #require(await node.connectedServer)
                #expect(after.runID != before.runID)
                #expect(after.connection != before.connection)
                // Told once for each cause, however many attempts there were.
                #expect(pushes.interruptions.count <= 3, "\(pushes.interruptions)")
                #expect(Set(pushes.interruptions).count == pushes.interruptions.count)

                let stale = await failure {
                    try await node.send([RedisCommand("SET", "b", "1")], on: before.connection, timeout: .seconds(5))
                }
                #expect(stale?.message.contains("replaced") == true)
                #expect(try await node.send("EXISTS", "b") == .integer(0))
                #expect(
                    try await node.send([RedisCommand("PING")], on: after.connection, timeout: .seconds(5)) == [
                        .status("PONG")
                    ]
                )
                subscription.cancel()
            }
        }
    }

    @Test("A stopped server: the call and all others on the connection fail in time; it works again afterwards")
    func frozen() async throws {
        try await PrivateServer.with(.redis) { server in
            try await withNode(server.url) { node, _ in
                let before = try await node.connect(timeout: .seconds(5))
                try await server.freeze()
                let start = ContinuousClock.now
                async let patient = failure { try await node.send("PING", timeout: .seconds(60)) }
                let error = await failure { try await node.send("PING", timeout: .milliseconds(300)) }
                #expect(error?.code == .timedOut)
                _ = await patient
                #expect(ContinuousClock.now - start < .seconds(30))
                #expect(ContinuousClock.now - start >= .milliseconds(300))
                // The kernel still accepts connections for it: nothing comes of them.
                let next = await failure { try await node.send("PING", timeout: .milliseconds(300)) }
                #expect(next?.code == .timedOut)
                try await server.thaw()
                _ = try await eventually("the reconnect") {
                    try await node.send("PING") == .status("PONG") ? true : nil
                }
                #expect(await node.connectedServer?.connection != before.connection)
                #expect(await node.connectedServer?.runID == before.runID)
            }
        }
    }

    @Test("A cancelled call ends its connection, so that nothing it sent is carried out behind later commands")
    func cancelled() async throws {
        try await PrivateServer.with(.redis) { server in
            try await withNode(server.url) { node, _ in
                let before = try await node.connect(timeout: .seconds(5))
                try await server.freeze()
                let call = Task { try await node.send("SET", "late", "1", timeout: .seconds(60)) }
                try await Task.sleep(for: .milliseconds(50))
                call.cancel()
                await #expect(throws: CancellationError.self) { try await call.value }
                _ = try await eventually("the end of the connection") { await node.connectedServer == nil ? true : nil }
                try await server.thaw()
                _ = try await eventually("the reconnect") {
                    try await node.send("PING") == .status("PONG") ? true : nil
                }
                #expect(await node.connectedServer?.connection != before.connection)
                await #expect(throws: CancellationError.self) {
                    try await withThrowingTaskGroup { group in
                        group.addTask {
                            withUnsafeCurrentTask { $0?.cancel() }
                            return try await node.send("SET", "never", "1")
                        }
                        return try await group.next()
                    }
                }
                #expect(try await node.send("EXISTS", "never") == .integer(0))
            }
        }
    }

    @Test("A connection that the server ends is made anew")
    func clientKill() async throws {
        try await PrivateServer.with(.redis) { server in
            try await withNode(server.url) { node, _ in
                for _ in 0..<5 {
                    #expect(try await eventually("a connection") { try await node.send("PING") } == .status("PONG"))
                    let id = await node.connectedServer?.connection
                    try await server.redis("CLIENT", "KILL", "TYPE", "normal", "SKIPME", "yes")
                    _ = try await eventually("another connection") {
                        _ = try await node.send("PING")
                        return await node.connectedServer?.connection != id ? true : nil
                    }
                }
                #expect(field("connected_clients", try await server.redis("INFO", "clients")) == 2)
            }
        }
    }

    @Test("A password that is wrong, missing or superfluous: a remedy, no secret, and no hot loop")
    func passwords() async throws {
        try await PrivateServer.with(.redis) { server in
            let wrong = "redis://:s3cr3t@127.0.0.1:\(server.port)"
            try await withNode(wrong) { node, _ in
                let error = await failure { try await node.send("PING") }
                #expect(error?.code == .storeRefused)
                #expect(error?.message.contains("has no password") == true, "\(error?.message ?? "")")
            }
            try await server.redis("CONFIG", "SET", "requirepass", "right")
            for (url, part) in [(wrong, "user or password"), (server.url, "wants a password")] {
                try await withNode(url) { node, _ in
                    let error = await failure { try await node.send("PING") }
                    #expect(error?.code == .storeRefused)
                    #expect(error?.message.contains(part) == true, "\(error?.message ?? "")")
                    #expect(error.map { "\($0)".contains("s3cr3t") } == false)
                }
            }
            try await withNode("redis://:right@127.0.0.1:\(server.port)") { node, _ in
                #expect(try await node.send("PING") == .status("PONG"))
                try await withNode(wrong) { stranger, _ in
                    func connections() async throws -> Int {
                        field("total_connections_received", try await node.send("INFO", "stats").text ?? "") ?? 0
                    }
                    let before = try await connections()
                    for _ in 0..<2000 { _ = await failure { try await stranger.send("PING") } }
                    #expect(try await connections() - before <= 5)
                }
                try await withNode("redis://nobody:right@127.0.0.1:\(server.port)") { node, _ in
                    #expect(await failure { try await node.send("PING") }?.code == .storeRefused)
                }
                // Once it is right, it works without a restart.
                try await withNode(wrong) { node, _ in
                    #expect(await failure { try await node.send("PING") }?.code == .storeRefused)
                    let answer = try await withNode("redis://:right@127.0.0.1:\(server.port)") { admin, _ in
                        try await admin.send("CONFIG", "SET", "requirepass", "s3cr3t")
                    }
                    #expect(answer == .status("OK"))
                    _ = try await eventually("the login") {
                        try await node.send("PING") == .status("PONG") ? true : nil
                    }
                }
            }
        }
    }

    @Test("A user with few rights can log in; a database that does not exist is named")
    func permissions() async throws {
        try await PrivateServer.with(.redis) { server in
            try await server.redis("ACL", "SETUSER", "poor", "on", ">pw", "~lead:*", "+get")
            try await withNode("redis://poor:pw@127.0.0.1:\(server.port)") { node, topology in
                let info = try await node.connect(timeout: .seconds(5))
                #expect(info.runID == nil && info.role == nil && info.version == nil)
                #expect(try await node.send("GET", "lead:a") == .null)
                #expect(try await node.send("GET", "other").error?.prefix == "NOPERM")
                let refused = try #require(try await node.send("SET", "lead:a", "1").error)
                let error = refused.electionError("here", command: "SET")
                #expect(error.code == .storeRefused)
                #expect(error.message.lowercased().contains("set"))
                let pushes = Pushes()
                let subscription = topology.subscribe(channel: "news", pushes.receive)
                let told = try await eventually("the refusal") { pushes.interruptions.first }
                #expect(told.code == .storeRefused)
                #expect(told.message.contains("news"), "\(told.message)")
                try await server.redis("ACL", "SETUSER", "poor", "+subscribe", "&news")
                _ = try await eventually("the subscription") { pushes.subscriptions == 1 ? true : nil }
                #expect(pushes.interruptions.count == 1, "\(pushes.interruptions)")
                subscription.cancel()
            }
            try await withNode("redis://127.0.0.1:\(server.port)/99") { node, _ in
                let error = await failure { try await node.send("PING") }
                #expect(error?.code == .storeRefused)
                #expect(error?.message.contains("no database 99") == true, "\(error?.message ?? "")")
            }
            try await withNode("redis://127.0.0.1:\(server.port)/3") { node, _ in
                let answer = try await node.send("SET", "in3", "1")
                #expect(answer == .status("OK"))
                #expect(try await server.redis("EXISTS", "in3").contains("0"))
                #expect(try await server.redis("-n", "3", "EXISTS", "in3").contains("1"))
            }
        }
    }

    @Test("What a server says when it takes no writes, and that another server is looked for where that may help")
    func refusedWrites() async throws {
        try await PrivateServer.with(.redis) { server in
            try await withNode(server.url) { node, _ in
                func write(_ prefix: String, _ code: ElectionError.Code) async throws {
                    let script = RedisScript(source: "return redis.call('SET', KEYS[1], '1')")
                    let answer = try await eventually("an answer") {
                        try await node.run(script, keys: ["k"], arguments: [], timeout: .seconds(5))[0]
                    }
                    let error = try #require(answer.error)
                    #expect(error.prefix == prefix)
                    #expect(error.electionError("here").code == code)
                }
                _ = try await node.connect(timeout: .seconds(5))
                try await server.redis("CONFIG", "SET", "min-replicas-to-write", "1")
                try await write("NOREPLICAS", .storeUnavailable)
                try await server.redis("CONFIG", "SET", "min-replicas-to-write", "0")
                try await server.redis("CONFIG", "SET", "maxmemory", "1")
                try await write("OOM", .storeUnavailable)
                try await server.redis("CONFIG", "SET", "maxmemory", "0")
                let before = await node.connectedServer?.connection
                try await server.redis("REPLICAOF", "127.0.0.1", "1")
                try await write("READONLY", .storeUnavailable)
                _ = try await eventually("the end of the connection") {
                    await node.connectedServer?.connection != before ? true : nil
                }
                try await server.redis("CONFIG", "SET", "replica-serve-stale-data", "no")
                try await write("MASTERDOWN", .storeUnavailable)
                try await server.redis("REPLICAOF", "NO", "ONE")
                _ = try await eventually("a write") {
                    try await node.send("SET", "k", "1") == .status("OK") ? true : nil
                }
                #expect(await node.connectedServer?.role == .primary)
            }
        }
    }

    @Test("Too many clients: said as such, and connected once there is room")
    func maximumClients() async throws {
        try await PrivateServer.with(.redis) { server in
            try await withNode(server.url) { admin, _ in
                #expect(try await admin.send("CONFIG", "SET", "maxclients", "1") == .status("OK"))
                try await withNode(server.url) { node, _ in
                    let error = await failure { try await node.send("PING") }
                    #expect(error?.code == .storeUnavailable)
                    #expect(error?.message.contains("maxclients") == true, "\(error?.message ?? "")")
                    #expect(try await admin.send("CONFIG", "SET", "maxclients", "100") == .status("OK"))
                    _ = try await eventually("the connection") {
                        try await node.send("PING") == .status("PONG") ? true : nil
                    }
                }
            }
        }
    }
}
#endif
