// SPDX-License-Identifier: MIT
#if Consul
import IntegrationSupport
import LeaderElection
import Testing

@testable import LeaderElectionConsul

/// Keys that an operator deletes or overwrites under a leader whose lease candidates time.
@Suite(.needs(.consul), .timeLimit(.minutes(1)))
struct DoubtTests {
    private let agent = Agent(.consul)
    private let lease = Duration.seconds(2)

    enum Damage: CaseIterable {
        case deletion, deletionOfAll, foreignValue
    }

    private func damage(_ damage: Damage) async throws {
        let key = try agent.key("group")
        switch damage {
        case .deletion: try await agent.call("DELETE", "kv/\(key)")
        case .deletionOfAll: try await agent.call("DELETE", "kv/\(agent.prefix)?recurse")
        case .foreignValue: try await agent.call("PUT", "kv/\(key)", "by hand")
        }
        #expect(try await agent.entry("group")?.modifyIndex != nil || damage != .foreignValue)
    }

    /// Whoever watched, and whoever only asked: none may lead before the leader must have stopped.
    @Test(arguments: Damage.allCases)
    func aKeyThatWasTamperedWithIsTakenOnlyWhenItsLeaseIsOver(damage: Damage) async throws {
        let leader = try Asker(try agent.provider(.cas), "group", "leader", lease: lease)
        let term = try #require(try await leader.term())
        let watching = try agent.provider(.cas)
        let hints = Hints(watching)
        let others = try [
            Asker(watching, "group", "watching", lease: .seconds(1)),
            Asker(try agent.provider(.cas), "group", "asking", lease: .seconds(1)),
        ]
        for other in others { #expect(try await other.holder() == "leader") }
        try await soon("the watch") { watching.store.watch.isCurrent }
        hints.forget()
        guard case .renewed = try await leader.renew(term) else { throw NotInTime(what: "the renewal") }
        let renewed = ContinuousClock.now
        try await self.damage(damage)
        try await soon("the hint") { !hints.all.isEmpty }
        // Who sees a key for the first time takes one that is missing for that of a new group.
        let later = damage == .foreignValue ? [try Asker(try agent.provider(.cas), "group", "later", lease: lease)] : []
        var next: Int64?
        while next == nil {
            for other in others + later where next == nil { next = try await other.term() }
            try await Task.sleep(for: .milliseconds(20))
        }
        #expect(ContinuousClock.now - renewed >= lease, "the leader had this time, if nothing told it")
        #expect(try #require(next) > term)
        guard case .lost = try await leader.renew(term) else { throw NotInTime(what: "the loss") }
    }

    @Test
    func aSessionsKeyThatWasDeletedIsNotTakenAtOnceByWhoSawItsLeader() async throws {
        let provider = try agent.provider()
        let leader = try Asker(provider, "group", "leader", lease: lease)
        let term = try await leader.termSoon()
        let other = try Asker(try agent.provider(), "group", "other", lease: lease)
        #expect(try await other.holder() == "leader")
        let deleted = ContinuousClock.now
        try await damage(.deletion)
        // Its session lives on, and so there is no lock-delay.
        let next = try await other.termSoon()
        #expect(ContinuousClock.now - deleted >= lease)
        #expect(next > term)
        guard case .lost = try await leader.renew(term) else { throw NotInTime(what: "the loss") }
        // Another program's key is deleted after each use.
        let session = try await agent.session()
        _ = try await other.release(next)
        let key = try agent.key("group")
        #expect(try await agent.call("PUT", "kv/\(key)?acquire=\(session)", "theirs").body == "true")
        #expect(try await other.holder() == "theirs")
        try await agent.call("PUT", "kv/\(key)?release=\(session)")
        try await agent.call("DELETE", "kv/\(key)")
        #expect(try await other.term() != nil)
    }

    @Test
    func whatWasGivenBackIsTakenAtOnce() async throws {
        let first = try Asker(try agent.provider(.cas), "group", "first", lease: lease)
        let term = try await first.termSoon()
        guard case .released = try await first.release(term) else { throw NotInTime(what: "the release") }
        let second = try Asker(try agent.provider(.cas), "group", "second", lease: .seconds(60))
        #expect(try #require(try await second.term()) > term)
    }

    @Test
    func theFirstLeaderOfAGroupDoesNotWait() async throws {
        #expect(try await Asker(try agent.provider(.cas), "group", lease: .seconds(60)).term() != nil)
    }
}
#endif
