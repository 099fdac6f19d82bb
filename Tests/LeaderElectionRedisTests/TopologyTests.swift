// SPDX-License-Identifier: MIT
#if Redis
import LeaderElection
import NIOCore
import Testing

@testable import LeaderElectionRedis

@Suite("Redis: slots and where they are")
struct TopologyTests {
    @Test(
        "Slots are those of the cluster's specification",
        arguments: [
            ("123456789", 0x31C3), ("", 0), ("foo", 12182), ("{foo}bar", 12182), ("a{foo}b{x}", 12182),
            ("{user1000}.following", 3443), ("{user1000}.followers", 3443), ("user1000", 3443),
            ("foo{}{bar}", 8363), ("foo{{bar}}zap", 4015), ("{bar", 4015), ("{bar}", 5061), ("bar", 5061),
        ]
    )
    func slots(key: String, slot: Int) {
        #expect(HashSlot.of(key) == slot)
    }

    @Test("A table is read as a node tells it")
    func table() throws {
        func node(_ host: String?, _ port: Int64) -> RedisValue {
            .array([host.map { .bulk(Array($0.utf8)) } ?? .null, .integer(port), .bulk([65]), .array([])])
        }
        let answer = RedisValue.array([
            .array([.integer(0), .integer(99), node("10.0.0.1", 1), node("10.0.0.2", 2)]),
            .array([.integer(100), .integer(100), node("", 3)]),
            .array([.integer(200), .integer(16383), node(nil, 4), node("10.0.0.1", 1)]),
        ])
        let teller = RedisSettings.Address.host("me", port: 9)
        let table = try #require(ClusterTable(answer, from: teller))
        #expect(table.owners[0] == .host("10.0.0.1", port: 1))
        #expect(table.owners[99] == .host("10.0.0.1", port: 1))
        #expect(table.owners[100] == .host("me", port: 3))
        #expect(table.owners[101] == nil)
        #expect(table.owners[16383] == .host("me", port: 4))
        #expect(table.primaries == [.host("10.0.0.1", port: 1), .host("me", port: 3), .host("me", port: 4)])
        #expect(ClusterTable(.array([.array([.integer(0), .integer(16384), node("h", 1)])]), from: teller) == nil)
        #expect(ClusterTable(.array([.array([.integer(5), .integer(4), node("h", 1)])]), from: teller) == nil)
        #expect(ClusterTable(.array([.integer(5)]), from: teller) == nil)
        #expect(ClusterTable(.status("OK"), from: teller) == nil)
        #expect(ClusterTable(.array([]), from: teller)?.primaries.isEmpty == true)
    }

    @Test("Redirections are taken apart")
    func redirections() throws {
        let teller = RedisSettings.Address.host("me", port: 9)
        func read(_ line: String) -> RedisRedirection? { RedisRedirection(RedisServerError(line: line)) }
        let moved = try #require(read("MOVED 3999 10.0.0.1:6381"))
        #expect(!moved.isForOnce && moved.slot == 3999)
        #expect(moved.address(saidBy: teller) == .host("10.0.0.1", port: 6381))
        #expect(read("ASK 1 ::1:7000")?.address(saidBy: teller) == .host("::1", port: 7000))
        #expect(read("ASK 1 h:7000")?.isForOnce == true)
        #expect(read("MOVED 1 :7000")?.address(saidBy: teller) == .host("me", port: 7000))
        #expect(read("MOVED 1 :7000")?.address(saidBy: .socket(path: "/s")) == nil)
        for line in [
            "MOVED", "MOVED 16384 h:1", "MOVED -1 h:1", "MOVED 1 h", "MOVED 1 h:0", "MOVED x h:1", "ERR MOVED",
        ] {
            #expect(read(line) == nil, "\(line)")
        }
    }

    @Test("Back-off: longer with each failure, none after a good connection")
    func backOff() {
        let cause = ElectionError(.storeUnavailable, "x")
        var backOff = RedisBackOff()
        #expect(backOff.heldBack(at: .now()) == nil)
        let start = backOff.nextAttempt
        #expect(start <= .now())
        var now = backOff.nextAttempt + .seconds(1000)
        backOff.failed(cause, at: now)
        #expect(backOff.heldBack(at: now) == cause)
        #expect(backOff.nextAttempt - now <= .milliseconds(100))
        for _ in 0..<50 {
            now = backOff.nextAttempt
            #expect(backOff.heldBack(at: now) == nil)
            backOff.failed(cause, at: now)
            #expect(backOff.nextAttempt - now <= .seconds(1))
            #expect(backOff.nextAttempt - now >= .milliseconds(10))
        }
        backOff.connected(at: now)
        backOff.lost(cause, at: now + .seconds(60))
        #expect(backOff.heldBack(at: now + .seconds(60)) == nil)
        // A server that takes connections and drops them at once is left alone as well.
        backOff.connected(at: now + .seconds(60))
        backOff.lost(cause, at: now + .seconds(60) + .milliseconds(5))
        #expect(backOff.heldBack(at: now + .seconds(60) + .milliseconds(5)) == cause)
    }
}
#endif
