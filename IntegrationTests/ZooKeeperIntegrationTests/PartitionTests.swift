// SPDX-License-Identifier: MIT
#if ZooKeeper
import ElectionHistory
import IntegrationSupport
import Testing

@testable import LeaderElectionZooKeeper

/// SAFETY 3.4, scenario 17: the server that serves a leader loses the ensemble's leader, which ends the session later.
@Suite(.needsOwn(.zookeeperEnsemble), .serialized, .timeLimit(.minutes(3)))
struct PartitionTests {
    private static let lease: Int64 = 3_000_000_000

    /// A follower that reaches the ensemble's leader through a proxy, and a candidate that leads over it alone.
    private struct Partition {
        let server: PrivateServer
        let follower: String
        /// `host:port` of the follower.
        let address: String
        let proxy: FaultProxy
        let cut: ElectCandidate
        let other: ElectCandidate

        /// Waits for the next heartbeat to pass from the follower to its leader.
        func heartbeat() async throws {
            let before = proxy.occurrences(of: GroupPath.heartbeats)
            #expect(try await eventually { proxy.occurrences(of: GroupPath.heartbeats) > before })
        }

        /// How long nobody led, by what both wrote down, in nanoseconds.
        func gap() async throws -> Int64 {
            #expect(try await eventually { other.leads })
            #expect([cut, other].violations == [])
            let lastClaim = try #require(cut.lines.last { $0.leading == true }?.after)
            let grant = try #require(other.lines.first { $0.event == "acquired" }?.time)
            #expect(!cut.leads)
            return grant - lastClaim
        }

        /// The latest instant until which the candidate was ever sure to lead.
        var deadline: Int64 { cut.lines.compactMap(\.validUntil).max() ?? 0 }
    }

    private func partition(_ body: (Partition) async throws -> Void) async throws {
        try await PrivateServer.with(.zookeeperEnsemble) { server in
            let modes = try await server.modes()
            let leader = try #require(modes.first { $0.value == "leader" }?.key.last?.wholeNumberValue)
            let follower = try #require(modes.first { $0.value == "follower" }?.key)
            let number = try #require(follower.last?.wholeNumberValue)
            // Servers answer clients at 21 to 23 of their hundred ports, and each other at 24 to 26.
            let proxy = try FaultProxy(to: server.port + 2 + UInt16(leader))
            defer { proxy.close() }
            proxy.watch(for: GroupPath.heartbeats)
            try await server.route(follower, [leader: proxy.port])
            try await server.restart(follower)
            try await soon("the follower") { try await server.modes()[follower] == "follower" }

            let directory = try Directory()
            let address = "127.0.0.1:\(server.port + UInt16(number) - 1)"
            func candidate(_ name: String, _ address: String) throws -> ElectCandidate {
                let url = "zookeeper://\(address)/partition?tickTime=200ms"
                return try ElectCandidate(name, provider: url, lease: "3s", in: directory)
            }
            let cut = try candidate("cut", address)
            #expect(try await eventually { cut.leads })
            let other = try candidate("other", "127.0.0.1:\(server.port + UInt16(leader) - 1)")
            #expect(try await eventually { other.lines.contains { $0.event == "changed" } })
            try await body(
                Partition(
                    server: server,
                    follower: follower,
                    address: address,
                    proxy: proxy,
                    cut: cut,
                    other: other
                )
            )
        }
    }

    @Test
    func aFollowerThatIsCutOffAnswersReadsAndProlongsNothing() async throws {
        try await partition { partition in
            // What one client asks for behind a write waits for that write.
            let (reader, writer) = (try await RawClient(partition.address), try await RawClient(partition.address))
            try await writer.create("/written")
            try await partition.heartbeat()
            partition.proxy.hold()
            async let isWritten = { (try? await writer.create("/not-written")) != nil }()
            // What was under way when the cable went out.
            try await Task.sleep(for: .milliseconds(50))
            let deadline = partition.deadline
            #expect(try await reader.children("/partition").contains("g"))
            #expect(partition.cut.leads, "it does not know yet")
            let gap = try await partition.gap()
            #expect(gap > 0)
            #expect(partition.deadline == deadline)
            #expect(await !isWritten)
        }
    }

    /// A pause after which it still leads, and one after which it must not.
    @Test(arguments: [0.5, 0.9])
    func aWriteWhoseServerIsLostAtOnceProlongsNothing(pause: Double) async throws {
        try await partition { partition in
            try await partition.heartbeat()
            partition.cut.freeze()
            let end = ElectCandidate.now + Int64(Double(Self.lease) * pause)
            #expect(try await eventually { ElectCandidate.now >= end })
            partition.cut.thaw()
            try await partition.heartbeat()
            // The write is with the leader, and is answered; what else the follower knows does not leave it any more.
            partition.proxy.add(FaultRule(.hold, .requests))
            try await partition.server.kill(partition.follower)
            let gap = try await partition.gap()
            #expect(gap > 0)
            if pause > 0.8 { #expect(partition.cut.lines.contains { $0.event == "lost" }) }
        }
    }
}
#endif
