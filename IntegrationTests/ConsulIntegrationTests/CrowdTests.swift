// SPDX-License-Identifier: MIT
#if Consul
import IntegrationSupport
import LeaderElection
import Testing

@testable import LeaderElectionConsul

/// Many that wait for one lease, of whom a few watch its key.
@Suite(.needs(.consul), .serialized, .timeLimit(.minutes(2)))
struct CrowdTests {
    /// So long that only push can hand it over in time.
    private static let lease = Duration.seconds(3600)
    private let agent = Agent(.consul)

    private struct Member {
        let provider: ConsulElectionProvider
        let service: ElectionService

        var isLookout: Bool { provider.store.lookouts.isLookout }
        /// Of its own, or by the word of those who have one.
        var isServed: Bool { provider.store.watch.isServed }
        var watchesItself: Bool { provider.store.watch.isCurrent }
    }

    private func members(_ count: Int, _ mode: ConsulMode, named name: String = "member") throws -> [Member] {
        try (0..<count).map { number in
            let provider = try agent.provider(mode)
            let configuration = ElectionConfiguration(candidate: "\(name) \(number)", leaseDuration: Self.lease)
            let service = try ElectionService("group", provider: provider, configuration: configuration)
            return Member(provider: provider, service: service)
        }
    }

    /// Runs a crowd until `body` is done.
    private func run(_ members: [Member], _ body: () async throws -> Void) async throws {
        try await withThrowingDiscardingTaskGroup { tasks in
            for member in members { tasks.addTask { try await member.service.run() } }
            defer { for member in members { member.service.stop() } }
            try await body()
        }
    }

    private func settled(_ members: [Member]) async throws {
        try await soon("the lookouts") {
            members.count { $0.isLookout } == LookoutPosts.count
                && members.allSatisfy {
                    $0.isServed && $0.watchesItself == ($0.isLookout || $0.service.isLeader)
                }
        }
    }

    @Test(arguments: [ConsulMode.cas, .session])
    func threeWatchAndAllHearWhoLeads(_ mode: ConsulMode) async throws {
        var members = try members(10, mode)
        try await run(members) {
            for _ in 0..<3 {
                try await settled(members)
                let old = try #require(members.firstIndex { $0.service.isLeader })
                members.remove(at: old).service.stop()
                try await soon("the next leader") { members.contains { $0.service.isLeader } }
                let leader = try #require(members.first { $0.service.isLeader }).service.candidate.id
                // From those who watch: nobody asks of itself for an hour.
                try await soon("the news") { members.allSatisfy { $0.service.leader?.id == leader } }
            }
        }
        let lookouts = KeyNames(prefix: agent.prefix).lookouts(of: try ElectionGroup("group"))
        try await soon("that who stops leaves its post") {
            let keys = try await agent.call("GET", "kv/\(lookouts)?keys").body
            return (0..<LookoutPosts.count).allSatisfy { !keys.contains("\(lookouts)\($0)") }
        }
    }

    @Test func aLeaseGoesToAnHeirWhoDoesNotWatch() async throws {
        let members = try members(9, .cas)
        try await run(members) {
            try await settled(members)
            let leader = try #require(members.first { $0.service.isLeader }).service
            let heir = try #require(members.first { !$0.isLookout && !$0.service.isLeader }).service
            try await leader.transfer(to: heir.candidate.id)
            try await soon("the heir") { heir.isLeader }
        }
    }

    @Test func lookoutsThatDoNotWantTheLeaseMakeRoom() async throws {
        let holder = try Asker(try agent.provider(.cas), lease: Self.lease)
        let term = try await holder.termSoon()
        // They ask once, say that they wait, and never act on what they hear.
        var silent: [(provider: ConsulElectionProvider, hints: Hints)] = []
        for number in 0..<LookoutPosts.smallestCrowd {
            let asker = try Asker(try agent.provider(.cas), "group", "silent \(number)", lease: Self.lease)
            let hints = Hints(asker.provider)
            #expect(try await asker.holder() != nil)
            let note = NoteRequest(
                group: asker.request.group,
                key: "c-\(number)",
                text: "{}",
                lifetime: .seconds(600),
                isNews: false,
                timeout: .seconds(5)
            )
            guard case .done = try await asker.provider.write([note])[0] else { throw NotInTime(what: "the note") }
            silent.append((asker.provider, hints))
        }
        try await soon("the lookouts") { silent.count { $0.provider.store.lookouts.isLookout } == LookoutPosts.count }
        let member = try members(1, .cas)
        try await run(member) {
            try await soon("that it relies on them") { member[0].isServed && !member[0].watchesItself }
            guard case .released = try await holder.release(term) else { throw NotInTime(what: "the release") }
            try await soon("the leader") { member[0].service.isLeader }
        }
        #expect(silent.allSatisfy { !$0.hints.all.isEmpty })
    }

    @Test(arguments: [true, false]) func whoHasToDoWithSeveralGroupsWatchesThemAll(isLookout: Bool) async throws {
        let members = try members(9, .cas)
        try await run(members) {
            try await settled(members)
            let other = try #require(members.first { $0.isLookout == isLookout && !$0.service.isLeader })
            _ = try await other.provider.holders(of: [try ElectionGroup("another")])
            try await soon("its own watch") { other.watchesItself && !other.isLookout }
            try await soon("another lookout") { members.count { $0.isLookout } == LookoutPosts.count }
        }
    }
}

/// A token that may not write who watches.
@Suite(.needs(.consulTLS), .serialized, .timeLimit(.minutes(1)))
struct CrowdAccessTests {
    @Test func whoMayNotBeALookoutWatchesForItself() async throws {
        let agent = Agent(.consulTLS)
        let root = agent.prefix.dropLast()
        let rules = ["/", ".notes/", ".news/"].map { #"key_prefix "\#(root)\#($0)" { policy = "write" }"# }
        var settings = try agent.settings(.cas)
        settings.token = try await agent.token(rules.joined(separator: " "), policy: "crowd-\(Nonce())")
        let providers = (0..<8).map { _ in ConsulElectionProvider(settings) }
        let services = try providers.enumerated().map { number, provider in
            try ElectionService(
                "group",
                provider: provider,
                configuration: ElectionConfiguration(candidate: "\(number)", leaseDuration: .seconds(3600))
            )
        }
        try await withThrowingDiscardingTaskGroup { tasks in
            for service in services { tasks.addTask { try await service.run() } }
            defer { for service in services { service.stop() } }
            let stores = providers.map(\.store)
            try await soon("the refusals") { stores.allSatisfy { $0.lookouts.isRefused || !$0.held.isEmpty } }
            let leader = try #require(services.firstIndex { $0.isLeader })
            try await soon("the watches") { stores.allSatisfy { $0.watch.isCurrent } }
            services[leader].stop()
            try await soon("the next leader") { services.indices.contains { $0 != leader && services[$0].isLeader } }
        }
    }
}
#endif
