// SPDX-License-Identifier: MIT
#if Consul
import Foundation
import IntegrationSupport
import LeaderElection
import Testing

@testable import LeaderElectionConsul

@Suite(.needs(.consul), .serialized, .timeLimit(.minutes(1)))
struct SessionTests {
    private let agent = Agent(.consul)

    @Test
    func allGroupsShareOneSessionAndOneRenewal() async throws {
        let proxy = try FaultProxy(to: NetworkAddress.all(in: agent.url)[0].port)
        defer { proxy.close() }
        let provider = try agent.provider(port: proxy.port)
        let hints = Hints(provider)
        try await soon("the watch") { hints.all.contains(.resync) }
        let askers = try (0..<100).map { try Asker(provider, "group \($0)") }
        let answers = try await provider.acquire(askers.map(\.request))
        var renewals: [RenewRequest] = []
        for (asker, answer) in zip(askers, answers) {
            guard case .granted(let term, _) = answer else { throw NotInTime(what: "a grant") }
            renewals.append(
                RenewRequest(
                    group: asker.request.group,
                    nonce: asker.request.nonce,
                    term: term,
                    leaseDuration: .seconds(10),
                    timeout: .seconds(5)
                )
            )
        }
        // A leader listens for news, whose place is made by a write of its own.
        try await soon("the place for news") {
            try await agent.call("GET", "kv/\(agent.prefix.dropLast()).news/").status == 200
        }
        proxy.watch(for: "PUT /v1/")
        proxy.watch(for: "session/create")
        for answer in try await provider.renew(renewals) {
            guard case .renewed(.seconds(10)) = answer else { throw NotInTime(what: "a renewal: \(answer)") }
        }
        #expect(proxy.occurrences(of: "PUT /v1/") == 1)
        #expect(proxy.occurrences(of: "session/create") == 0)
    }

    @Test
    func aSessionThatWasNotRenewedForItsTimeIsNotReliedOn() async throws {
        let provider = try agent.provider()
        let leader = try Asker(provider, "led", "leader", lease: .seconds(1))
        let waiting = try Asker(provider, "other", "candidate", lease: .seconds(1))
        let other = try Asker(try agent.provider(), "other", "leader")
        _ = try await other.termSoon()
        let term = try await leader.termSoon()
        let old = try #require(provider.store.sessions.all.first?.session)
        // Consul would leave it for another second, as it does with one whose process was paused.
        try await soon("another session") {
            let holder = try await waiting.holder()
            #expect(holder == "leader")
            return provider.store.sessions.all.first.map { $0.session.id != old.id } ?? false
        }
        #expect(ElectionInstant.now >= old.provenAt + .seconds(1))
        guard case .lost = try await leader.renew(term) else { throw NotInTime(what: "the loss") }
    }

    @Test
    func connectionsAreKeptAndUsedAgain() async throws {
        let proxy = try FaultProxy(to: NetworkAddress.all(in: agent.url)[0].port)
        defer { proxy.close() }
        let asker = try Asker(try agent.provider(port: proxy.port))
        for _ in 0..<20 {
            let term = try await asker.termSoon()
            guard case .renewed = try await asker.renew(term) else { throw NotInTime(what: "the renewal") }
            guard case .released = try await asker.release(term) else { throw NotInTime(what: "the release") }
        }
        #expect(proxy.counters.connections <= 4)
    }

    /// A session that was renewed while its process waited is enough for a lease that is so much shorter.
    @Test
    func whoeverTakesOverSendsOneRequest() async throws {
        let proxy = try FaultProxy(to: NetworkAddress.all(in: agent.url)[0].port)
        defer { proxy.close() }
        let leader = try Asker(try agent.provider(), "group", "leader")
        let term = try await leader.termSoon()
        let provider = try agent.provider(port: proxy.port)
        let hints = Hints(provider)
        let other = try Asker(provider, "group", "other")
        #expect(try await other.holder() == "leader")
        try await soon("the session and the watch") {
            provider.store.sessions.current(.seconds(10)) != nil && hints.all.contains(.resync)
        }
        _ = try await leader.release(term)
        try await soon("the hint") { hints.all.contains(.freed(other.request.group, listeners: 1)) }
        proxy.watch(for: "PUT /v1/")
        let proven = try #require(provider.store.sessions.current(.seconds(10))?.provenAt)
        let sent = ElectionInstant.now
        guard case .granted(_, let lease) = try await other.ask() else { throw NotInTime(what: "the grant") }
        #expect(proxy.occurrences(of: "PUT /v1/") == 1)
        #expect(sent + lease <= proven + .seconds(10), "no longer than the session is certain to live")
        #expect(lease > .seconds(5))
    }

    @Test
    func aSessionThatAnOperatorDestroysIsLostAtOnceAndNotGivenAwayBeforeItsDeadline() async throws {
        let provider = try agent.provider(lockDelay: .seconds(2))
        let hints = Hints(provider)
        let leader = try Asker(provider, "group", "leader", lease: .seconds(2))
        let term = try await leader.termSoon()
        let other = try Asker(try agent.provider(), "group", "other", lease: .seconds(2))
        #expect(try await other.holder() == "leader")
        let sent = ElectionInstant.now
        _ = try await leader.renew(term)
        hints.forget()
        let session = try #require(provider.store.sessions.current(.seconds(2))?.id)
        try await agent.call("PUT", "session/destroy/\(session)")
        try await soon("the hint") { hints.all.contains(.changed(leader.request.group)) }
        guard case .lost = try await leader.renew(term) else { throw NotInTime(what: "the loss") }
        // The lock-delay is as long as the lease.
        guard case .deferred = try await other.ask() else { throw NotInTime(what: "the lock-delay") }
        let next = try await other.termSoon(within: .seconds(10))
        #expect(next > term)
        #expect(ElectionInstant.now - sent > .milliseconds(1900))
        try await soon("word of the next leader") { try await leader.holder() == "other" }
    }

    @Test
    func aSessionThatNobodyRenewsRunsOut() async throws {
        let leader = try Asker(try agent.provider(lockDelay: .zero), "group", "leader", lease: .seconds(2))
        let term = try await leader.termSoon()
        let provider = try agent.provider()
        let hints = Hints(provider)
        let other = try Asker(provider, "group", "other", lease: .seconds(2))
        #expect(try await other.holder() == "leader")
        try await soon("word of it", within: .seconds(20)) {
            hints.all.contains(.freed(other.request.group, listeners: 1))
        }
        #expect(try await other.termSoon() > term)
        guard case .lost = try await leader.renew(term) else { throw NotInTime(what: "the loss") }
    }

    @Test(arguments: [true, false])
    func aKeyThatAnOperatorDeletesIsLost(isWatched: Bool) async throws {
        let provider = try agent.provider()
        let hints = isWatched ? Hints(provider) : nil
        let leader = try Asker(provider)
        let kept = try Asker(provider, "another group")
        let (term, keptTerm) = (try await leader.termSoon(), try await kept.termSoon())
        if let hints {
            try await soon("the watch") { hints.all.contains(.resync) }
            hints.forget()
        }
        try await agent.call("DELETE", "kv/\(try agent.key("group"))")
        if let hints {
            try await soon("the hint") { hints.all.contains(.changed(leader.request.group)) }
        }
        guard case .lost = try await leader.renew(term) else { throw NotInTime(what: "the loss") }
        guard case .renewed = try await kept.renew(keptTerm) else { throw NotInTime(what: "the renewal") }
        let other = try Asker(try agent.provider(), "group", "other")
        #expect(try await other.termSoon() > term, "terms grow although the key was new")
    }

    @Test
    func aCandidateThatWaitsHasItsSessionReady() async throws {
        let leader = try Asker(try agent.provider(), "group", "leader", lease: .seconds(2))
        let term = try await leader.termSoon()
        let provider = try agent.provider()
        let hints = Hints(provider)
        let other = try Asker(provider, "group", "other", lease: .seconds(2))
        #expect(try await other.holder() == "leader")
        try await soon("the session") { provider.store.sessions.current(.seconds(2)) != nil }
        let session = provider.store.sessions.current(.seconds(2))
        // Longer than a session lives that nobody renews.
        try await soon("its renewals", within: .seconds(20)) {
            if case .renewed = try await leader.renew(term) {} else { throw NotInTime(what: "the renewal") }
            let now = provider.store.sessions.current(.seconds(2))
            return now?.id == session?.id
                && now.map { $0.provenAt > (session?.provenAt ?? .now) + .seconds(3) } ?? false
        }
        hints.forget()
        _ = try await leader.release(term)
        try await soon("the hint") {
            hints.all.contains(.freed(other.request.group, listeners: 1))
        }
        #expect(try await other.term() != nil, "at the first try")
    }

    @Test
    func otherModesOnTheSameKeyRespectEachOther() async throws {
        let session = try Asker(try agent.provider(.session), "group", "session")
        let term = try await session.termSoon()
        var cas = try Asker(try agent.provider(.cas), "group", "cas", lease: .seconds(2))
        guard case .held(let record) = try await cas.ask() else { throw NotInTime(what: "the refusal") }
        #expect(record.holder.id == "session" && !record.isObserverTimed)
        cas.request.observed = record.version
        #expect(try await cas.holder() == "session", "who watches a session's key learns nothing from its silence")
        _ = try await session.release(term)
        let next = try await cas.termSoon()
        #expect(next > term)
        guard case .held(let observed) = try await session.ask() else { throw NotInTime(what: "the refusal") }
        #expect(observed.isObserverTimed && observed.leaseDuration == .seconds(2))
        var patient = session
        patient.request.observed = observed.version
        #expect(try await patient.termSoon() > next)
        guard case .lost = try await cas.renew(next) else { throw NotInTime(what: "the loss") }
    }
}
#endif
