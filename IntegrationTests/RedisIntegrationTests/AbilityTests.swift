// SPDX-License-Identifier: MIT
#if Redis
import IntegrationSupport
import LeaderElection
import LeaderElectionTesting
import Testing

@testable import LeaderElectionRedis

/// Notes and transfers where keys have slots and primaries change.
@Suite(.serialized, .timeLimit(.minutes(5)))
struct AbilityTests {
    private static let cases = ProviderConformance.cases(for: [.hints, .everyGroupName, .notes, .quietNotes, .transfer])
        .filter { !$0.requires.isDisjoint(with: [.notes, .transfer]) }

    private func conform(_ url: String, _ layout: RedisProviderOptions.ClusterLayout = .oneSlot) async throws {
        for promise in Self.cases {
            let options = RedisProviderOptions(prefix: "abilities-\(Nonce())", clusterLayout: layout)
            try await promise.run(
                ProviderConformance(
                    makeProvider: { try RedisElectionProvider(url: url, options: options) },
                    passTime: { await pass($0) },
                    // The lifetime of a note has to pass; leases only must not run out on a busy machine.
                    leaseDuration: promise.requires.contains(.notes) ? .seconds(4) : .seconds(30)
                )
            )
        }
    }

    @Test(.needsOwn(.redisCluster)) func theyKeepTheirPromisesInACluster() async throws {
        try await PrivateServer.with(.redisCluster) { server in
            try await conform(server.url)
            try await conform(server.url, .spread(over: 7))
        }
    }

    @Test(.needsOwn(.redisSentinel)) func theyOutlastAFailOver() async throws {
        try await PrivateServer.with(.redisSentinel) { server in
            let options = RedisProviderOptions(waitForReplicas: 1, isQuarantineOn: false)
            let provider = try RedisElectionProvider(url: server.url, options: options)
            let (holder, heir) = (Claimant(provider, lease: .seconds(60)), Claimant(provider, lease: .seconds(60)))
            let (nonce, heirNonce) = (Nonce(), Nonce())
            let term = try await holder.term("g", nonce: nonce)
            var next: Int64?
            let isMoved = try await eventually(within: 30) {
                switch try await holder.transfer("g", nonce, term, to: heir, heirNonce) {
                case .transferred(let moved): next = moved
                case .notHeld: next = try await heir.term("g", nonce: heirNonce)
                case .refused, .unknown: return false
                }
                return true
            }
            #expect(isMoved)
            try await server.kill("redis-sentinel/primary")
            // What the replica had confirmed is known to the next primary.
            var inherited: Int64?
            _ = try await eventually(within: 60) {
                if case .granted(let term, _)? = try? await heir.acquire("g", nonce: heirNonce) { inherited = term }
                return inherited != nil
            }
            #expect(inherited != nil && inherited == next)
            let notes = Notes(provider)
            #expect(try await eventually(within: 60) { await notes.refusal() == nil })
            #expect(try await notes.all() == ["key: text"])
        }
    }
}
#endif
