// SPDX-License-Identifier: MIT

import IntegrationSupport
import Testing

@Suite(.timeLimit(.minutes(5))) struct FaultProxyTests {
    /// A server that answers each message with the same bytes in capitals, and a proxy in front of it.
    private struct Bench {
        let server: EchoServer
        let proxy: FaultProxy

        init() throws {
            server = try EchoServer()
            proxy = try FaultProxy(to: server.port)
        }

        func client() throws -> TestClient { try TestClient(port: proxy.port) }
    }

    @Test func bytesPassAndAreCounted() throws {
        let bench = try Bench()
        bench.proxy.watch(for: "ll")
        let client = try bench.client()
        for _ in 0..<3 {
            client.send("hello")
            #expect(client.receive(5) == "HELLO")
        }
        let counters = bench.proxy.counters
        #expect(counters.requestBytes == 15 && counters.replyBytes == 15)
        #expect(counters.roundTrips == 3 && counters.connections == 1)
        #expect(bench.proxy.occurrences(of: "ll") == 3)
    }

    @Test func whatIsHeldGoesOnLater() throws {
        let bench = try Bench()
        let client = try bench.client()
        bench.proxy.hold()
        client.send("one")
        #expect(client.receive(3, within: 50) == "")
        bench.proxy.clear()
        #expect(client.receive(3) == "ONE")
    }

    @Test func theEndOfAHeldConnectionIsNotSeenByTheServer() async throws {
        let bench = try Bench()
        let client = try bench.client()
        client.send("one")
        #expect(client.receive(3) == "ONE")
        bench.proxy.hold()
        client.close()
        // A second connection shows that the proxy has had its turn.
        let other = try bench.client()
        other.send("two")
        #expect(other.receive(1, within: 50) == "")
        #expect(bench.server.openConnections == 2)
        bench.proxy.clear()
        #expect(try await eventually { bench.server.openConnections == 1 })
    }

    @Test func repliesToAPatternAreDroppedAndOthersPass() throws {
        let bench = try Bench()
        bench.proxy.add(.init(.drop, .replies, whenRequestContains: "bad", limit: 1))
        let (first, second) = (try bench.client(), try bench.client())
        second.send("good")
        #expect(second.receive(4) == "GOOD")
        first.send("is b")
        #expect(first.receive(4) == "IS B")
        first.send("ad")
        #expect(first.receive(2, within: 50) == "")
        second.send("bad")
        #expect(second.receive(3) == "BAD")
    }

    @Test func requestsThatAreDroppedNeverArrive() throws {
        let bench = try Bench()
        bench.proxy.add(.init(.drop, .requests, whenRequestContains: "release"))
        let client = try bench.client()
        client.send("release")
        #expect(client.receive(1, within: 50) == "")
        #expect(bench.server.received == "")
    }

    @Test func repliesAreDelayed() throws {
        let bench = try Bench()
        let client = try bench.client()
        bench.proxy.add(.init(.delay(.milliseconds(100)), .replies))
        let start = ContinuousClock.now
        client.send("slow")
        #expect(client.receive(4) == "SLOW")
        #expect(ContinuousClock.now - start >= .milliseconds(100))
    }

    @Test func connectionsAreResetTruncatedAndGarbled() throws {
        let bench = try Bench()
        let reset = try bench.client()
        reset.send("a")
        #expect(reset.receive(1) == "A")
        bench.proxy.resetAll()
        #expect(reset.receive(1) == nil)

        let garbled = try bench.client()
        let rule = bench.proxy.add(.init(.garbage([0x23, 0x24]), .replies, limit: 1))
        garbled.send("ab")
        #expect(garbled.receive(2) == "#$")
        garbled.send("ab")
        #expect(garbled.receive(2) == "AB")
        bench.proxy.remove(rule)

        bench.proxy.add(.init(.truncate(3), .replies))
        let truncated = try bench.client()
        truncated.send("abcdef")
        #expect(truncated.receive(6) == "ABC")
        bench.proxy.clear()

        bench.proxy.refuse()
        let refused = try bench.client()
        #expect(refused.receive(1) == nil)
    }

    @Test func closingEndsEverything() async throws {
        let bench = try Bench()
        let client = try bench.client()
        client.send("a")
        #expect(client.receive(1) == "A")
        bench.proxy.close()
        #expect(client.receive(1) == nil)
        #expect(try await eventually { bench.server.openConnections == 0 })
        let address = NetworkAddress(host: "127.0.0.1", port: bench.proxy.port)
        #expect(try await eventually { !address.answers() })
    }
}
