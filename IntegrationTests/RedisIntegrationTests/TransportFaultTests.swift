// SPDX-License-Identifier: MIT
#if Redis
import Foundation
import IntegrationSupport
import LeaderElection
import Testing

@testable import LeaderElectionRedis

@Suite("Redis: broken connections", .serialized, .needsOwn(.redis), .timeLimit(.minutes(5)))
struct TransportFaultTests {
    @Test("A half-open peer is noticed within the timeout of a call, and left")
    func halfOpen() async throws {
        try await PrivateServer.with(.redis) { server in
            let proxy = try FaultProxy(to: server.port)
            defer { proxy.close() }
            try await withNode(proxy.url(server.url)) { node, _ in
                #expect(try await node.send("PING") == .status("PONG"))
                proxy.hold()
                let error = await failure { try await node.send("SET", "a", "1", timeout: .milliseconds(200)) }
                #expect(error?.code == .timedOut)
                #expect(await node.connectedServer == nil)
                proxy.clear()
                proxy.resetAll()
                _ = try await eventually("the reconnect") {
                    try await node.send("PING") == .status("PONG") ? true : nil
                }
            }
        }
    }

    @Test(
        "Garbage, cuts and resets end the connection and nothing else",
        arguments: [
            FaultRule(.garbage(Array("HTTP/1.1 400 Bad Request\r\n\r\n".utf8)), .replies, whenRequestContains: "GET"),
            FaultRule(.garbage(Array("*3000000\r\n".utf8)), .replies, whenRequestContains: "GET"),
            FaultRule(.garbage([0xFF, 0, 0x2B, 13, 10]), .replies, whenRequestContains: "GET"),
            FaultRule(.truncate(3), .replies, whenRequestContains: "GET"),
            FaultRule(.reset, .replies, whenRequestContains: "GET"),
            FaultRule(.halfClose, .replies, whenRequestContains: "GET"),
            FaultRule(.drop, .replies, whenRequestContains: "GET"),
            FaultRule(.drop, .requests, whenRequestContains: "GET"),
        ]
    )
    func faults(rule: FaultRule) async throws {
        try await PrivateServer.with(.redis) { server in
            let proxy = try FaultProxy(to: server.port)
            defer { proxy.close() }
            try await withNode(proxy.url(server.url)) { node, _ in
                #expect(try await node.send("SET", "key", "a value of some length") == .status("OK"))
                proxy.add(rule)
                let start = ContinuousClock.now
                let error = try #require(
                    await failure { try await node.send("GET", "key", timeout: .milliseconds(500)) }
                )
                #expect([.storeUnavailable, .timedOut].contains(error.code))
                #expect(ContinuousClock.now - start < .seconds(20))
                proxy.clear()
                let text = try await eventually("the reconnect") { try await node.send("GET", "key").text }
                #expect(text == "a value of some length")
                _ = try await eventually("the end of the broken connection") {
                    proxy.counters.openConnections == 1 ? true : nil
                }
            }
        }
    }

    @Test("What is no Redis at all is called that; an unknown name and a closed port too")
    func wrongPlaces() async throws {
        try await PrivateServer.with(.redis) { server in
            let proxy = try FaultProxy(to: server.port)
            defer { proxy.close() }
            proxy.add(FaultRule(.garbage(Array("SSH-2.0-OpenSSH_9.2\r\n".utf8)), .replies))
            for (url, part) in [
                (proxy.url(server.url), "does not speak"),
                ("redis://no-such-host.invalid", "cannot be resolved"),
                ("redis://127.0.0.1:1", "nothing listens at 127.0.0.1:1"),
                ("redis://localhost:1", "nothing listens at localhost:1"),
                ("redis+unix:///nonexistent/redis.sock", "there is no socket"),
                ("redis+unix:///" + String(repeating: "x", count: 200), "too long"),
            ] {
                try await withNode(url) { node, _ in
                    let error = await failure { try await node.send("PING", timeout: .seconds(30)) }
                    #expect(error?.message.contains(part) == true, "\(error?.message ?? "no error")")
                }
            }
        }
    }

    @Test("A server that hangs up at once, or says nothing, is not mistaken for one that works")
    func silence() async throws {
        try await PrivateServer.with(.redis) { server in
            let proxy = try FaultProxy(to: server.port)
            defer { proxy.close() }
            proxy.add(FaultRule(.drop, .requests))
            try await withNode(proxy.url(server.url) + "?connect-timeout=200ms") { node, _ in
                let error = await failure { try await node.send("PING", timeout: .seconds(30)) }
                #expect(error?.code == .timedOut)
                #expect(
                    error?.message.contains("accepts connections but does not answer") == true,
                    "\(error?.message ?? "")"
                )
            }
            proxy.clear()
            proxy.refuse()
            try await withNode(proxy.url(server.url)) { node, _ in
                let error = await failure { try await node.send("PING", timeout: .seconds(30)) }
                #expect(error?.code == .storeUnavailable)
                #expect(error?.message.contains("rediss://") == true, "\(error?.message ?? "")")
                proxy.clear()
                _ = try await eventually("the connection") {
                    try await node.send("PING") == .status("PONG") ? true : nil
                }
            }
        }
    }

    @Test("A silent push connection is found out and made anew")
    func silentPush() async throws {
        try await PrivateServer.with(.redis) { server in
            let proxy = try FaultProxy(to: server.port)
            defer { proxy.close() }
            try await withNode(proxy.url(server.url)) { _, topology in
                let pushes = Pushes()
                let subscription = topology.subscribe(
                    channel: "news",
                    patience: { .milliseconds(300) },
                    pushes.receive
                )
                _ = try await eventually("the subscription") { pushes.subscriptions == 1 ? true : nil }
                let held = ContinuousClock.now
                proxy.hold()
                let told = try await eventually("the silence") { pushes.interruptions.first }
                // Two or three times the patience; the rest is for a busy machine.
                #expect(ContinuousClock.now - held < .seconds(5))
                #expect(told.code == .timedOut)
                proxy.clear()
                _ = try await eventually("the subscription") { pushes.subscriptions == 2 ? true : nil }
                subscription.cancel()
            }
        }
    }

    @Test("Nothing piles up while a server is away")
    func growth() async throws {
        try await PrivateServer.with(.redis) { server in
            let proxy = try FaultProxy(to: server.port)
            defer { proxy.close() }
            try await withNode(proxy.url(server.url)) { node, topology in
                let pushes = Pushes()
                let subscription = topology.subscribe(channel: "news", pushes.receive)
                _ = try await eventually("the subscription") { pushes.subscriptions == 1 ? true : nil }
                proxy.refuse()
                proxy.resetAll()
                let before = proxy.counters.connections
                let deadline = ContinuousClock.now + .seconds(3)
                while ContinuousClock.now < deadline { _ = await failure { try await node.send("PING") } }
                // Two connections that back off up to a second, in three seconds.
                #expect(proxy.counters.connections - before < 40)
                #expect(Set(pushes.interruptions).count == pushes.interruptions.count)
                proxy.clear()
                _ = try await eventually("the reconnect") {
                    try await node.send("PING") == .status("PONG") ? true : nil
                }
                _ = try await eventually("the subscription") { pushes.subscriptions >= 2 ? true : nil }
                #expect(proxy.counters.openConnections == 2)
                subscription.cancel()
            }
            _ = try await eventually("the end of all connections") { proxy.counters.openConnections == 0 ? true : nil }
        }
    }

    @Test("A Unix socket")
    func unixSocket() async throws {
        let directory = FileManager.default.temporaryDirectory.appending(path: "redis-\(UInt32.random(in: 0 ... .max))")
        try FileManager.default.createDirectory(at: directory, withIntermediateDirectories: true)
        defer { try? FileManager.default.removeItem(at: directory) }
        let socket = directory.appending(path: "s.sock").path
        let process = Process()
        process.executableURL = URL(filePath: "/usr/bin/env")
        process.arguments = [
            "redis-server", "--port", "0", "--unixsocket", socket, "--save", "", "--appendonly", "no", "--dir",
            directory.path,
        ]
        process.standardOutput = FileHandle.nullDevice
        try process.run()
        defer {
            // Not SIGTERM: a thread of the concurrency runtime blocks signals, and what it starts inherits that.
            kill(process.processIdentifier, SIGKILL)
            process.waitUntilExit()
        }
        try await withNode("redis+unix://\(socket)?db=2") { node, topology in
            let answer = try await eventually("the server") { try await node.send("SET", "a", "1") }
            #expect(answer == .status("OK"))
            let pushes = Pushes()
            let subscription = topology.subscribe(channel: "news", pushes.receive)
            _ = try await eventually("the subscription") { pushes.subscriptions == 1 ? true : nil }
            #expect(try await node.send("PUBLISH", "news", "x") == .integer(1))
            _ = try await eventually("the message") { pushes.messages == ["x"] ? true : nil }
            subscription.cancel()
        }
    }
}
#endif
