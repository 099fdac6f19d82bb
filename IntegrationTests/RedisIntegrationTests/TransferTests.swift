// SPDX-License-Identifier: MIT
#if Redis
import LeaderElection
import Testing

@testable import LeaderElectionRedis

/// A lease that its holder gives to a candidate of its choice.
@Suite(.needsOwnRedis, .ownThread, .timeLimit(.minutes(1)))
struct TransferTests {
    private let options = RedisProviderOptions(prefix: "transfer-\(Nonce())", isQuarantineOn: false)
    private var lease: String { options.prefix + ":lease:g" }
    private var authority: String { options.prefix + ":authority" }

    @Test func everybodyIsToldThatTheLeaseChanged() async throws {
        let server = try await SharedRedis.server()
        let holder = Claimant(try server.provider(options), lease: .seconds(30))
        let heir = Claimant(try server.provider(options), lease: .seconds(30))
        let (own, foreign) = (HintLog(), HintLog())
        let subscriptions = [holder.provider.hints { own.receive($0) }, heir.provider.hints { foreign.receive($0) }]
        defer { for subscription in subscriptions { subscription.cancel() } }
        #expect(try await eventually { own.resyncs == 1 && foreign.resyncs == 1 })
        let (nonce, heirNonce, group) = (Nonce(), Nonce(), try ElectionGroup("g"))
        let term = try await holder.term("g", nonce: nonce)
        let next = try #require(try await holder.transfer("g", nonce, term, to: heir, heirNonce).term)
        #expect(try await eventually { own.hints.contains(.changed(group)) && foreign.hints.contains(.changed(group)) })
        #expect(try await heir.term("g", nonce: heirNonce) == next)
        // What the next one wrote is whole.
        guard case .held(let record) = try await holder.acquire("g", nonce: nonce) else {
            Issue.record("the lease is the heir's")
            return
        }
        #expect(record.holder == heir.candidate && record.term == next && record.leaseDuration == heir.lease)
    }

    @Test func termsAreAtLeastTheTimeAndAlwaysOneMore() async throws {
        let server = try await SharedRedis.server()
        let claimant = Claimant(try server.provider(options), lease: .seconds(20))
        var (nonce, term) = (Nonce(), Int64(7))
        _ = try await claimant.term("g", nonce: nonce)
        // As if the clock had been far behind, then far ahead, then at its end.
        for last in [7, 1 << 52, (1 << 53) - 2] as [Int64] {
            try await server.cli("hset", lease, "term", "\(last)")
            term = last
            let heir = Nonce()
            let next = try #require(try await claimant.transfer("g", nonce, term, to: claimant, heir).term)
            #expect(next == (last == 7 ? max(next, 1_700_000_000_000) : last + 1))
            nonce = heir
        }
        guard case .unknown = try await claimant.transfer("g", nonce, (1 << 53) - 1, to: claimant, Nonce()) else {
            Issue.record("a term beyond what can be counted")
            return
        }
        #expect(try await server.cli("hget", lease, "nonce") == nonce.description)
    }

    @Test func aClockThatIsNotBelievedEndsNoLease() async throws {
        let server = try await SharedRedis.server()
        let claimant = Claimant(try server.provider(options), lease: .seconds(20))
        let nonce = Nonce()
        let term = try await claimant.term("g", nonce: nonce)
        try await server.cli("hset", lease, "deadline_ms", "\(term - 10_000)")
        func transfer(limit: String) async throws -> [RedisValue] {
            let words = [
                limit, "PUBLISH", options.prefix + ":changes", "sender", "\((options.prefix + ":lease:").utf8.count)",
                "",
                nonce.description, "\(term)", Nonce().description, "3000", "heir", Nonce().description, "{}",
            ]
            let node = try await RedisTopologies.make(server.settings()).node(forKey: lease)
            let values = try await node.run(
                LeaseScripts.transfer,
                keys: [authority, lease],
                arguments: words.map { Array($0.utf8) },
                timeout: .seconds(2)
            )
            return Array(try #require(values.first?.array).dropFirst(4))
        }
        #expect(try await transfer(limit: "") == [.integer(0)])
        #expect(try await transfer(limit: "0").first == .integer(1))
        #expect(try await server.cli("hget", lease, "holder") == "heir")
    }

    @Test func aLongerLeaseOfTheHeirIsKnownToTheQuarantine() async throws {
        let server = try await SharedRedis.server()
        let careful = RedisProviderOptions(prefix: options.prefix)
        let holder = Claimant(try server.provider(careful), lease: .seconds(5))
        let heir = Claimant(holder.provider, lease: .seconds(77))
        let nonce = Nonce()
        let term = try await holder.term("g", nonce: nonce)
        #expect(try await server.cli("hget", authority, "longest_ms") == "5000")
        #expect(try await holder.transfer("g", nonce, term, to: heir, Nonce()).term != nil)
        #expect(try await server.cli("hget", authority, "longest_ms") == "77000")
    }

    @Test func aQuarantineHoldsUpNoTransfer() async throws {
        let server = try await OwnRedis(["save \"\"", "appendonly yes", "appendfsync always"])
        let holder = Claimant(try server.provider(), lease: .seconds(5))
        let heir = Claimant(try server.provider(), lease: .seconds(5))
        let (nonce, heirNonce) = (Nonce(), Nonce())
        let term = try await holder.term("g", nonce: nonce)
        try await server.kill()
        try await server.start()
        guard case .deferred = try await heir.acquire("other") else {
            Issue.record("another server may have granted this group")
            return
        }
        var next: Int64?
        // The first call may meet the connection of before.
        #expect(
            try await eventually {
                next = try? await holder.transfer("g", nonce, term, to: heir, heirNonce).term
                return next != nil
            }
        )
        #expect(try await heir.term("g", nonce: heirNonce) == next)
    }

    @Test func withoutTheReplicasThatAreAskedForTheOutcomeIsUnknown() async throws {
        let server = try await SharedRedis.server()
        let holder = Claimant(try server.provider(options), lease: .seconds(20))
        var waiting = options
        waiting.waitForReplicas = 1
        let careful = Claimant(try server.provider(waiting), lease: .seconds(20))
        let (nonce, heirNonce) = (Nonce(), Nonce())
        let term = try await holder.term("g", nonce: nonce)
        guard case .unknown(let error) = try await careful.transfer("g", nonce, term, to: holder, heirNonce) else {
            Issue.record("a transfer that no replica knows of")
            return
        }
        #expect("\(error)".contains("waitForReplicas"))
        // It was carried out all the same.
        #expect(try await holder.term("g", nonce: heirNonce) > term)
    }

    @Test func aQuorumRefusesAndChangesNothing() async throws {
        var servers: [OwnRedis] = []
        for _ in 0..<3 { servers.append(try await OwnRedis()) }
        let settings = RedisSettings(.quorum(servers.map { .host("127.0.0.1", port: Int($0.port)) }))
        let holder = Claimant(try RedisElectionProvider(settings, options: options), lease: .seconds(20))
        let nonce = Nonce()
        let term = try await holder.term("g", nonce: nonce)
        guard case .refused(let reason) = try await holder.transfer("g", nonce, term, to: holder, Nonce()) else {
            Issue.record("a quorum moves no lease")
            return
        }
        #expect(reason.contains("quorum"))
        guard case .renewed = try await holder.renew("g", nonce, term) else {
            Issue.record("the lease is held")
            return
        }
        let notes = Notes(holder.provider)
        #expect(await notes.refusal()?.code == .unsupported)
        await #expect(throws: ElectionError.self) { try await notes.all() }
        await #expect(throws: ElectionError.self) { try await notes.remove("a") }
    }
}

extension Claimant {
    func transfer(
        _ group: String,
        _ nonce: Nonce,
        _ term: Int64,
        to heir: Claimant,
        _ heirNonce: Nonce
    ) async throws -> TransferAnswer {
        let request = TransferRequest(
            group: try ElectionGroup(group),
            nonce: nonce,
            term: term,
            heir: heir.candidate,
            heirNonce: heirNonce,
            leaseDuration: heir.lease,
            timeout: .seconds(2)
        )
        return try #require(try await provider.transfer([request]).first)
    }
}

extension TransferAnswer {
    var term: Int64? {
        if case .transferred(let term) = self { term } else { nil }
    }
}
#endif
