// SPDX-License-Identifier: MIT
#if Consul
import IntegrationSupport
import LeaderElection
import Testing

@testable import LeaderElectionConsul

@Suite(.needsOwn(.consulCluster), .serialized, .timeLimit(.minutes(2)))
struct ClusterTests {
    @Test
    func aServerThatIsGoneIsFound() async throws {
        try await PrivateServer.with(.consulCluster) { server in
            let modes = try await server.modes()
            let follower = try #require(modes.keys.sorted().last { modes[$0] == "follower" })
            let asked = try #require(modes.keys.sorted().firstIndex { $0 != follower })
            let provider = try Agent(url: "consul://127.0.0.1:\(server.port + UInt16(asked))/x").provider()
            try await soon("three that are well", within: .seconds(40)) {
                try await provider.examine().first?.seen.hasPrefix("3 servers that vote, all of them well") == true
            }
            try await server.kill(follower)
            try await soon("the finding", within: .seconds(40)) {
                // First it is not well; after some seconds Consul itself removes it, and two are too few as well.
                let finding = try await provider.examine().first
                return finding?.check == "quorum" && finding?.isFine == false
            }
        }
    }

    @Test
    func aLeaderThatDiesTakesNoLeaseAlongAndWithoutAMajorityNobodyLeads() async throws {
        try await PrivateServer.with(.consulCluster) { server in
            let modes = try await server.modes()
            let leaderName = try #require(modes.first { $0.value == "leader" }?.key)
            let followers = modes.keys.filter { $0 != leaderName }.sorted()
            func agent(_ name: String) throws -> Agent {
                let number = try #require(UInt16(name.split(separator: "/")[1]))
                return Agent(url: "consul://127.0.0.1:\(server.port + number - 1)/x")
            }
            let ours = try agent(followers[0])
            let provider = try ours.provider()
            let hints = Hints(provider)
            let leader = try Asker(provider, "group", "leader", timeout: .seconds(1))
            let term = try await leader.termSoon()
            let short = try Asker(try ours.provider(.cas), "short", "short", timeout: .seconds(1))
            let shortTerm = try await short.termSoon()
            // On another server, by the same keys.
            var settings = try agent(followers[1]).settings()
            settings.prefix = ours.prefix
            let other = try Asker(ConsulElectionProvider(settings), "group", "other", timeout: .seconds(1))
            #expect(try await other.holder() == "leader")

            try await server.kill(leaderName)
            try await soon("the renewal", within: .seconds(20)) {
                #expect(try await other.term() == nil)
                return if case .renewed = try await leader.renew(term, timeout: .seconds(1)) { true } else { false }
            }
            try await soon("the renewal") {
                if case .renewed = try await short.renew(shortTerm, timeout: .seconds(1)) { true } else { false }
            }
            #expect(try await other.holder() == "leader")
            _ = try await leader.release(term)
            let next = try await other.termSoon()
            #expect(next > term)

            // One of three is no majority.
            try await server.kill(followers[1])
            let lonely = try Asker(provider, "group", "lonely", timeout: .seconds(15))
            // The agent itself waits some seconds for a leader before it says so.
            try await soon("word of it", within: .seconds(40)) {
                try await lonely.error()?.message.contains("no leader among its servers") == true
            }
            guard case .unknown? = try await provider.holders(of: [lonely.request.group]).first else {
                throw NotInTime(what: "the doubt: a reading must come from a leader")
            }
            hints.forget()
            try await server.start(leaderName)
            try await soon("the end of it", within: .seconds(30)) { try await lonely.error() == nil }
            try await soon("the watch") { provider.store.watch.isCurrent }
        }
    }
}
#endif
