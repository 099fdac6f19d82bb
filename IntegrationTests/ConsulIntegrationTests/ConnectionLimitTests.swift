// SPDX-License-Identifier: MIT
#if Consul
import IntegrationSupport
import LeaderElection
import Testing

@testable import LeaderElectionConsul

/// An agent that allows this host one connection more: it is for leases, and push does without.
@Suite(.needs(.consul), .serialized, .timeLimit(.minutes(2)))
struct ConnectionLimitTests {
    private let agent = Agent(.consul)

    private func proxied(room: Int) throws -> (FaultProxy, ConsulElectionProvider) {
        let proxy = try FaultProxy(to: NetworkAddress.all(in: agent.url)[0].port)
        proxy.admit(room)
        return (proxy, try agent.provider(.cas, port: proxy.port))
    }

    private func renews(_ asker: Asker, _ term: Int64) async throws -> Bool {
        if case .renewed = try await asker.renew(term) { true } else { false }
    }

    @Test
    func theOnlyConnectionIsForLeases() async throws {
        let (proxy, provider) = try proxied(room: 1)
        defer { proxy.close() }
        let asker = try Asker(provider)
        let term = try #require(try await asker.term())
        let hints = Hints(provider)
        // Said once somebody would have been told of a release.
        try await soon("the warning") {
            guard try await renews(asker, term) else { throw NotInTime(what: "the renewal") }
            return !hints.warnings.isEmpty
        }
        #expect(hints.warnings.count == 1)
        #expect(hints.warnings[0].message.contains("http_max_conns_per_client"), "\(hints.warnings)")
        #expect(!provider.store.watch.isCurrent)
        proxy.admit(2)
        try await soon("the watch") { provider.store.watch.isCurrent }
        #expect(try await renews(asker, term))
    }

    @Test
    func aWatchThatHasTheOnlyConnectionGivesWay() async throws {
        let (proxy, provider) = try proxied(room: 1)
        defer { proxy.close() }
        // Nothing is asked for yet, so that the watch comes first.
        let hints = Hints(provider)
        try await soon("the watch") { provider.store.watch.isCurrent }
        let asker = try Asker(provider)
        let refused = try #require(try await asker.error())
        #expect(refused.code == .storeUnavailable && refused.message.contains("http_max_conns"), "\(refused)")
        let term = try await asker.termSoon()
        for _ in 0..<3 { #expect(try await renews(asker, term)) }
        #expect(!provider.store.watch.isCurrent)
        proxy.admit(2)
        hints.forget()
        try await soon("the watch") { provider.store.watch.isCurrent && hints.all.contains(.resync) }
    }
}
#endif
