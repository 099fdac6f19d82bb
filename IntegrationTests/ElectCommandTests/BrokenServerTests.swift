// SPDX-License-Identifier: MIT

import ElectionHistory
import IntegrationSupport
import Testing

/// What happens to candidates when it is their server that is broken; each test has a server of its own.
@Suite(.serialized, .timeLimit(.minutes(5))) struct BrokenServerTests {
    private static let second: Int64 = 1_000_000_000

    private func candidates(_ count: Int, _ url: String, _ directory: Directory, lease: String = "2s") throws
        -> [ElectCandidate]
    {
        try (0..<count).map { try ElectCandidate("c\($0)", provider: url, lease: lease, in: directory) }
    }

    /// A server that does not answer for longer than the lease.
    @Test(.needsOwn(Store.breakable), arguments: Store.breakable)
    func aFrozenServerHasNoLeaderAndThenOneAgain(backend: Backend) async throws {
        try await PrivateServer.with(backend) { server in
            let directory = try Directory()
            let all = try candidates(2, server.url, directory)
            let leader = try #require(try await all.leader())
            try await server.freeze()
            let end = leader.leaseEnd(lease: 2 * Self.second)
            #expect(try await eventually { leader.denies })
            #expect(try #require(leader.lines.last { $0.leading == true }?.before) < end)
            #expect(try await eventually { ElectCandidate.now > end + Self.second && all.allSatisfy { $0.denies } })
            try await server.thaw()
            let next = try #require(try await all.leader())
            #expect(try #require(next.terms.last) >= (try #require(leader.terms.first)))
            #expect(all.violations == [])
        }
    }

    @Test(.needsOwn(Store.breakable), arguments: Store.breakable)
    func aServerThatRestartsWithItsDataKeepsTheLeader(backend: Backend) async throws {
        try await PrivateServer.with(backend, durable: true) { server in
            let directory = try Directory()
            let all = try candidates(2, server.url, directory, lease: "8s")
            let leader = try #require(try await all.leader())
            let terms = leader.terms
            try await server.kill()
            try await server.start()
            let restarted = ElectCandidate.now
            #expect(
                try await eventually {
                    leader.lines.contains { $0.op == "renew" && $0.phase == "ok" && $0.time > restarted }
                }
            )
            #expect(leader.leads && leader.terms == terms)
            #expect(all.violations == [])
        }
    }

    @Test(.needsOwn(Store.breakable), arguments: Store.breakable)
    func aServerThatForgotEverythingHasALeaderInALaterTerm(backend: Backend) async throws {
        try await PrivateServer.with(backend) { server in
            let directory = try Directory()
            let all = try candidates(2, server.url, directory)
            let leader = try #require(try await all.leader())
            let term = try #require(leader.terms.last)
            try await server.wipe()
            try await server.start()
            #expect(try await eventually(within: 60) { all.contains { ($0.terms.last ?? 0) > term && $0.leads } })
            #expect(all.violations == [])
        }
    }

    /// The cable is out, and no end of the connection knows.
    @Test(.needsOwn(Store.breakable), arguments: Store.breakable)
    func aLeaderThatIsCutOffStepsDownBeforeAnotherLeads(backend: Backend) async throws {
        try await PrivateServer.with(backend) { server in
            let proxy = try FaultProxy(to: server.port)
            defer { proxy.close() }
            let directory = try Directory()
            let cut = try ElectCandidate("cut", provider: proxy.url(server.plainURL), in: directory)
            #expect(try await eventually { cut.leads })
            let other = try ElectCandidate("other", provider: server.plainURL, in: directory)
            #expect(try await eventually { other.lines.contains { $0.event == "changed" } })
            proxy.hold()
            #expect(try await eventually { other.leads })
            #expect(cut.denies)
            proxy.clear()
            let healed = ElectCandidate.now
            other.terminate()
            #expect(try await eventually { cut.lines.contains { $0.event == "acquired" && $0.time > healed } })
            #expect([cut, other].violations == [])
        }
    }

    /// The store says yes, and the one who asked does not hear it.
    @Test(.needsOwn(Store.breakable), arguments: Store.breakable)
    func aGrantWhoseAnswerIsLostIsTakenUpAgain(backend: Backend) async throws {
        try await PrivateServer.with(backend) { server in
            let proxy = try FaultProxy(to: server.port)
            defer { proxy.close() }
            proxy.watch(for: "lost-grant")
            proxy.add(FaultRule(.drop, .replies, whenRequestContains: "lost-grant", limit: 1))
            let directory = try Directory()
            let one = try ElectCandidate(
                "one",
                group: "lost-grant",
                provider: proxy.url(server.plainURL),
                lease: "6s",
                in: directory
            )
            #expect(try await eventually { one.leads })
            #expect(proxy.occurrences(of: "lost-grant") >= 2)
            #expect(Set(one.lines.filter { $0.op == "acquire" }.compactMap(\.nonce)).count == 1)
            #expect(one.terms.count == 1)
            #expect([one].violations == [])
        }
    }

    @Test(.needsOwn(Store.breakable), arguments: Store.breakable)
    func renewalsWithoutAnswersExtendNothing(backend: Backend) async throws {
        try await PrivateServer.with(backend) { server in
            let proxy = try FaultProxy(to: server.port)
            defer { proxy.close() }
            let directory = try Directory()
            let deaf = try ElectCandidate("deaf", provider: proxy.url(server.plainURL), in: directory)
            #expect(try await eventually { deaf.leads })
            let other = try ElectCandidate("other", provider: server.plainURL, in: directory)
            #expect(try await eventually { other.lines.contains { $0.event == "changed" } })
            proxy.add(FaultRule(.drop, .replies))
            #expect(try await eventually { deaf.denies })
            let answered = try #require(deaf.lines.last { $0.phase == "ok" }?.validUntil)
            #expect(try #require(deaf.lines.last { $0.leading == true }?.before) < answered)
            #expect(try await eventually { other.leads })
            #expect([deaf, other].violations == [])
        }
    }

    @Test(.needsOwn(Store.breakable), arguments: Store.breakable)
    func aReleaseThatNeverArrivesCostsOthersOneLease(backend: Backend) async throws {
        try await PrivateServer.with(backend) { server in
            let proxy = try FaultProxy(to: server.port)
            defer { proxy.close() }
            let directory = try Directory()
            let leader = try ElectCandidate("leader", provider: proxy.url(server.plainURL), in: directory)
            #expect(try await eventually { leader.leads })
            let other = try ElectCandidate("other", provider: server.plainURL, in: directory)
            #expect(try await eventually { other.lines.contains { $0.event == "changed" } })
            proxy.add(FaultRule(.drop, .requests))
            leader.terminate()
            #expect(try await leader.process.exitCode() == 0)
            let end = leader.leaseEnd(lease: 2 * Self.second)
            #expect(try await eventually { other.leads })
            #expect(try #require(other.lines.first { $0.event == "acquired" }?.time) <= end + 2 * Self.second)
            #expect([leader, other].violations == [])
        }
    }
}

extension PrivateServer {
    /// Without encryption, so that a proxy can read along.
    fileprivate var plainURL: String { backends[0] == .postgres ? url + "?sslmode=disable" : url }
}
