// SPDX-License-Identifier: MIT
#if Consul
import IntegrationSupport
import LeaderElection
import Testing

@testable import LeaderElectionConsul

@Suite(.needs(.consul), .serialized, .timeLimit(.minutes(1)))
struct TransferTests {
    private let agent = Agent(.consul)

    private func hand(_ holder: Asker, _ term: Int64, to heir: Asker) async throws -> TransferAnswer {
        let request = TransferRequest(
            group: holder.request.group,
            nonce: holder.request.nonce,
            term: term,
            heir: heir.request.candidate,
            heirNonce: heir.request.nonce,
            leaseDuration: holder.request.leaseDuration,
            timeout: .seconds(5)
        )
        return try #require(try await holder.provider.transfer([request]).first)
    }

    @Test(arguments: [ConsulMode.session, .cas], [ConsulMode.session, .cas])
    func ofThreeTheChosenOneLeadsWithoutALockDelay(from: ConsulMode, to: ConsulMode) async throws {
        let leader = try Asker(try agent.provider(from, lockDelay: .seconds(60)), "group", "leader")
        let term = try await leader.termSoon()
        let other = try Asker(try agent.provider(to), "group", "other")
        let heir = try Asker(try agent.provider(to), "group", "heir")
        let hints = Hints(heir.provider)
        try await soon("the watch") { hints.all.contains(.resync) }
        #expect(try await other.holder() == "leader")
        #expect(try await heir.holder() == "leader")
        hints.forget()
        guard case .transferred(let handed?) = try await hand(leader, term, to: heir) else {
            throw NotInTime(what: "the transfer")
        }
        try await soon("the hint") { hints.all.contains(.changed(heir.request.group)) }
        #expect(try await other.holder() == "heir", "nobody comes in between")
        #expect(try await leader.holder() == "heir")
        let next = try #require(try await heir.term(), "at the first try")
        #expect(next > term && next == handed)
        guard case .held(let record) = try await other.ask() else { throw NotInTime(what: "the refusal") }
        #expect(record.term == next)
        if to == .session {
            let fence = try #require(heir.provider.fence(of: heir.request.group, term: next))
            let write = try await agent.call("PUT", "txn", "[\(fence.operations)]")
            #expect(write.status == 200, "\(write.body)")
        }
        guard case .renewed = try await heir.renew(next) else { throw NotInTime(what: "the renewal") }
        guard case .lost = try await leader.renew(term) else { throw NotInTime(what: "the loss") }
        // The session that held the key for a moment may end now.
        leader.provider.store.close()
        guard case .renewed = try await heir.renew(next) else { throw NotInTime(what: "the renewal") }
        _ = try await heir.release(next)
        #expect(try await other.termSoon() > next)
    }

    @Test
    func anHeirThatNeverAsksHoldsASessionsKeyForOneLease() async throws {
        let leader = try Asker(try agent.provider(), "group", "leader", lease: .seconds(2))
        let hints = Hints(leader.provider)
        let term = try await leader.termSoon()
        // Keeps the session going.
        let kept = try Asker(leader.provider, "another group", lease: .seconds(2))
        let keptTerm = try await kept.termSoon()
        let heir = try Asker(try agent.provider(), "group", "heir", lease: .seconds(2))
        let start = ElectionInstant.now
        guard case .transferred = try await hand(leader, term, to: heir) else { throw NotInTime(what: "the transfer") }
        hints.forget()
        let other = try Asker(try agent.provider(), "group", "other", lease: .seconds(2))
        try await soon("the end of the heir's lease") {
            guard case .renewed = try await kept.renew(keptTerm) else { throw NotInTime(what: "the renewal") }
            return try await other.term() != nil
        }
        #expect(ElectionInstant.now - start > .milliseconds(1900))
        #expect(hints.all.contains(.freed(other.request.group, listeners: 1)))
        #expect(leader.provider.store.handovers.sessions.isEmpty)
        #expect(try await heir.holder() == "other")
    }

    @Test(.needsOwn(.consul))
    func consulLockGoesOnWaitingForTheKey() async throws {
        let leader = try Asker(try agent.provider(), "group", "leader")
        let term = try await leader.termSoon()
        let heir = try Asker(try agent.provider(), "group", "heir")
        #expect(try await heir.holder() == "leader")
        let lock = try ConsulLock(agent, "group")
        defer { lock.stop() }
        // Its session: it makes one before it looks at the key.
        try await soon("its waiting") {
            try await agent.call("GET", "session/list").body.contains("at '\(agent.prefix)group'")
        }
        guard case .transferred = try await hand(leader, term, to: heir) else { throw NotInTime(what: "the transfer") }
        #expect(try await agent.entry("group")?.flags == KVEntry.lockFlags)
        let next = try #require(try await heir.term())
        guard case .renewed = try await heir.renew(next) else { throw NotInTime(what: "the renewal") }
        #expect(!lock.isRunning)
        _ = try await heir.release(next)
        try await soon("its turn") { lock.isRunning }
        guard case .notHeld = try await hand(heir, next, to: leader) else { throw NotInTime(what: "the refusal") }
    }
}
#endif
