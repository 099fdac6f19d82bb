// SPDX-License-Identifier: MIT
#if ZooKeeper
import Foundation
import IntegrationSupport
import LeaderElection
import Testing

@testable import LeaderElectionZooKeeper

/// Three servers of which some are lost; each test has its own.
@Suite(.needsOwn(.zookeeperEnsemble), .serialized, .timeLimit(.minutes(3)))
struct EnsembleTests {
    /// A service that only says when it leads.
    private func service(_ url: String, _ id: String) throws -> ElectionService {
        var configuration = ElectionConfiguration()
        configuration.candidate = id
        configuration.leaseDuration = .seconds(3)
        return try ElectionService(
            "group",
            provider: try ZooKeeperElectionProvider(url),
            configuration: configuration
        )
    }

    /// Runs services, and checks all the while that no two of them lead.
    private func elections(
        _ count: Int,
        _ body: ([ElectionService], PrivateServer) async throws -> Void
    ) async throws {
        try await PrivateServer.with(.zookeeperEnsemble) { server in
            let services = try (0..<count).map { try service(server.url, "candidate \($0)") }
            try await withThrowingTaskGroup(of: Void.self) { tasks in
                for service in services { tasks.addTask { try await service.run() } }
                tasks.addTask {
                    while !Task.isCancelled {
                        // Whoever leads before and after another was seen leading led beside it.
                        for one in services {
                            guard let term = one.leadership?.term else { continue }
                            for other in services where other !== one && other.isLeader {
                                if one.leadership?.term == term, other.isLeader {
                                    Issue.record("two lead at once")
                                }
                            }
                        }
                        try? await Task.sleep(for: .milliseconds(1))
                    }
                }
                try await body(services, server)
                tasks.cancelAll()
                while let result = await tasks.nextResult() { _ = result }
            }
        }
    }

    private func leader(_ services: [ElectionService]) -> (ElectionService, Int64)? {
        for service in services { if let term = service.leadership?.term { return (service, term) } }
        return nil
    }

    private func leaderSoon(_ services: [ElectionService], after term: Int64 = 0) async throws -> (
        ElectionService, Int64
    ) {
        var found: (ElectionService, Int64)?
        try await soon("a leader", within: .seconds(30)) {
            found = leader(services)
            return (found?.1 ?? 0) > term
        }
        return try #require(found)
    }

    @Test
    func theLossOfAServerCostsNobodyTheLead() async throws {
        try await elections(3) { services, server in
            let (_, term) = try await leaderSoon(services)
            for role in ["follower", "leader"] {
                let victim = try #require(try await server.modes().first { $0.value == role }?.key)
                try await server.kill(victim)
                try await soon("a majority", within: .seconds(30)) {
                    try await server.modes().values.contains("leader")
                }
                // Longer than a lease: whoever leads was renewed since.
                try await Task.sleep(for: .seconds(4))
                let (_, now) = try await leaderSoon(services)
                #expect(now == term, "after the loss of a \(role)")
                try await server.start(victim)
                try await soon("all three", within: .seconds(30)) {
                    try await server.modes().values.allSatisfy { !$0.isEmpty }
                }
            }
        }
    }

    @Test
    func aServerThatFallsSilentCostsNobodyTheLead() async throws {
        try await elections(3) { services, server in
            let (_, term) = try await leaderSoon(services)
            for follower in try await server.modes().filter({ $0.value == "follower" }).keys {
                try await server.freeze(follower)
                try await Task.sleep(for: .seconds(4))
                #expect(try await leaderSoon(services).1 == term, "while \(follower) stands still")
                try await server.thaw(follower)
                try await soon("all three", within: .seconds(30)) {
                    try await server.modes().values.allSatisfy { !$0.isEmpty }
                }
            }
        }
    }

    @Test
    func withoutAMajorityNobodyLeadsAndAfterwardsSomebodyDoes() async throws {
        try await elections(3) { services, server in
            let (_, term) = try await leaderSoon(services)
            let modes = try await server.modes()
            let victims = Array(modes.keys.sorted().prefix(2))
            for victim in victims { try await server.kill(victim) }
            try await soon("the end of all leadership", within: .seconds(10)) { leader(services) == nil }
            try await Task.sleep(for: .seconds(4))
            #expect(leader(services) == nil)
            for victim in victims { try await server.start(victim) }
            let (_, later) = try await leaderSoon(services)
            #expect(later >= term)
        }
    }

    @Test
    func frozenServersEndLeadershipInTime() async throws {
        try await elections(2) { services, server in
            let (_, term) = try await leaderSoon(services)
            try await server.freeze()
            try await soon("the end of all leadership", within: .seconds(10)) { leader(services) == nil }
            try await server.thaw()
            let (_, later) = try await leaderSoon(services)
            #expect(later >= term)
        }
    }

    /// SAFETY 3.4, scenario 17: what the server that serves us has not passed on does not count.
    @Test(arguments: ["killed", "frozen"])
    func aServerThatIsCutOffTakesNoLeasePastItsDeadline(how: String) async throws {
        try await PrivateServer.with(.zookeeperEnsemble) { server in
            let modes = try await server.modes()
            let follower = try #require(modes.first { $0.value == "follower" }?.key)
            let index = try #require(Int(String(follower.suffix(1))))
            let addresses = NetworkAddress.all(in: server.url)
            let ours = addresses[index - 1]
            let settings = try ZooKeeperSettings(
                servers: "\(ours.host):\(ours.port)",
                root: "/cut-off",
                tickTime: .milliseconds(200)
            )
            let rest = addresses.filter { $0 != ours }.map { "\($0.host):\($0.port)" }.joined(separator: ",")
            let elsewhere = try ZooKeeperElectionProvider(
                ZooKeeperSettings(servers: rest, root: "/cut-off", tickTime: .milliseconds(200))
            )
            // Has its session before the lease begins, which nobody renews while that is made.
            try await Asker(elsewhere, "another group", "other", lease: .seconds(3)).termSoon()
            let leader = try Asker(ZooKeeperElectionProvider(settings), "group", "cut off", lease: .seconds(3))
            let term = try await leader.termSoon()
            let other = try Asker(elsewhere, "group", "other", lease: .seconds(3))
            #expect(try await other.holder() == "cut off")
            var configuration = ElectionConfiguration()
            configuration.leaseDuration = .seconds(3)
            let timing = try LeaseTiming(configuration)
            // Silent for most of the lease, one write, and then the server is gone together with what it knew.
            try await Task.sleep(for: .milliseconds(1200))
            var deadline = ElectionInstant.distantPast
            let sent = ElectionInstant.now
            if case .renewed(let lease) = try await leader.renew(term, timeout: .milliseconds(500)) {
                deadline = sent + timing.validity(ofLease: lease)
            }
            if how == "killed" { try await server.kill(follower) } else { try await server.freeze(follower) }
            #expect(try await other.termSoon(within: .seconds(20)) > term)
            #expect(ElectionInstant.now > deadline)
        }
    }
}
#endif
