// SPDX-License-Identifier: MIT
#if Redis
import LeaderElection
import Synchronization
import Testing

@testable import LeaderElectionRedis

/// What a provider says beside its answers.
final class HintLog: Sendable {
    private let state = Mutex<[ProviderHint]>([])

    func receive(_ hint: ProviderHint) { state.withLock { $0.append(hint) } }
    var hints: [ProviderHint] { state.withLock { $0 } }
    var warnings: [String] {
        hints.compactMap { if case .warning(let error) = $0 { error.message } else { nil } }
    }
    func changes(of group: String) -> Int {
        hints.count { $0.group?.name == group }
    }
    var resyncs: Int { hints.count { $0 == .resync } }
}

@Suite(.needsOwnRedis, .ownThread, .timeLimit(.minutes(2)))
struct ProviderTests {
    @Test func tenThousandGroupsAreAcquiredAndRenewedIn40RoundTripsEach() async throws {
        let server = try await SharedRedis.server()
        let provider = try server.provider(RedisProviderOptions(prefix: "many-\(Nonce())", isQuarantineOn: false))
        let candidate = Candidate(id: "one of many", incarnation: Nonce())
        let requests = try (0..<10_000).map { number in
            AcquireRequest(
                group: try ElectionGroup("group \(number)"),
                candidate: candidate,
                nonce: Nonce(),
                leaseDuration: .seconds(30),
                timeout: .seconds(10)
            )
        }
        var grants: [RenewRequest] = []
        for (request, answer) in zip(requests, try await provider.acquire(requests)) {
            guard case .granted(let term, let lease) = answer else {
                Issue.record("\(request.group) was answered \(answer)")
                return
            }
            grants.append(
                RenewRequest(
                    group: request.group,
                    nonce: request.nonce,
                    term: term,
                    leaseDuration: lease,
                    timeout: .seconds(10)
                )
            )
        }
        #expect(provider.roundTrips == 40)
        let answers = try await provider.renew(grants)
        #expect(answers.allSatisfy { if case .renewed = $0 { true } else { false } })
        #expect(provider.roundTrips == 80)
    }

    @Test func ourOwnGrantsAreNoNewsButOurReleasesAre() async throws {
        let server = try await SharedRedis.server()
        let options = RedisProviderOptions(prefix: "news-\(Nonce())")
        let provider = try server.provider(options)
        let (own, foreign) = (HintLog(), HintLog())
        let other = try server.provider(options)
        let subscriptions = [provider.hints { own.receive($0) }, other.hints { foreign.receive($0) }]
        defer { for subscription in subscriptions { subscription.cancel() } }
        #expect(try await eventually { own.resyncs == 1 && foreign.resyncs == 1 })
        let claimant = Claimant(provider)
        let nonce = Nonce()
        let term = try await claimant.term("g", nonce: nonce)
        #expect(try await eventually { foreign.changes(of: "g") == 1 })
        guard case .released = try await claimant.release("g", nonce, term) else {
            Issue.record("the lease was held")
            return
        }
        #expect(try await eventually { foreign.changes(of: "g") == 2 && own.changes(of: "g") == 1 })
    }

    @Test func aLostPushConnectionComesBackWithAResync() async throws {
        let server = try await OwnRedis()
        let provider = try server.provider()
        let log = HintLog()
        let subscription = provider.hints { log.receive($0) }
        defer { subscription.cancel() }
        #expect(try await eventually { log.resyncs == 1 })
        #expect(try await server.cli("client", "kill", "type", "pubsub") == "1")
        #expect(try await eventually { log.resyncs == 2 })
        let claimant = Claimant(try server.provider())
        _ = try await claimant.term("g")
        #expect(try await eventually { log.changes(of: "g") == 1 })
    }

    @Test func scriptsThatWereForgottenAreSentAgain() async throws {
        let server = try await SharedRedis.server()
        let claimant = Claimant(try server.provider(RedisProviderOptions(prefix: "flush-\(Nonce())")))
        let nonce = Nonce()
        let term = try await claimant.term("g", nonce: nonce)
        for _ in 0..<3 {
            try await server.cli("script", "flush")
            guard case .renewed = try await claimant.renew("g", nonce, term) else {
                Issue.record("the lease is held")
                return
            }
        }
    }

    @Test func anEvictionPolicyIsWarnedOfOnce() async throws {
        let server = try await OwnRedis(["save \"\"", "appendonly no", "maxmemory-policy allkeys-lru"])
        let provider = try server.provider(RedisProviderOptions(isQuarantineOn: false))
        let log = HintLog()
        let subscription = provider.hints { log.receive($0) }
        defer { subscription.cancel() }
        let claimant = Claimant(provider, lease: .seconds(20))
        let nonce = Nonce()
        let term = try await claimant.term("g", nonce: nonce)
        for _ in 0..<5 {
            try await server.cli("client", "kill", "type", "normal")
            _ = try await eventually {
                if case .renewed = try? await claimant.renew("g", nonce, term) { true } else { false }
            }
        }
        #expect(log.warnings.count { $0.contains("allkeys-lru") } == 1)
    }

    @Test func withoutTheRightToPublishTheElectionGoesOn() async throws {
        let server = try await OwnRedis([
            "save \"\"", "appendonly no", "user limited on >secret ~* &* +@all -publish",
        ])
        var settings = server.settings()
        (settings.username, settings.password) = ("limited", "secret")
        let provider = try RedisElectionProvider(settings)
        let log = HintLog()
        let subscription = provider.hints { log.receive($0) }
        defer { subscription.cancel() }
        let claimant = Claimant(provider)
        for number in 0..<3 {
            let nonce = Nonce()
            let term = try await claimant.term("g", nonce: nonce)
            guard case .released = try await claimant.release("g", nonce, term) else {
                Issue.record("round \(number): the lease was held")
                return
            }
        }
        #expect(log.warnings.count { $0.contains("+publish") } == 1)
        #expect(log.warnings.count { $0.contains("secret") } == 0)
    }

    @Test func withoutTheRightToRunScriptsTheErrorSaysSo() async throws {
        let server = try await OwnRedis([
            "save \"\"", "appendonly no", "user limited on >secret ~* &* +@all -@scripting",
        ])
        var settings = server.settings()
        (settings.username, settings.password) = ("limited", "secret")
        let claimant = Claimant(try RedisElectionProvider(settings))
        await #expect(throws: ElectionError.self) { try await claimant.acquire("g") }
        do { _ = try await claimant.acquire("g") } catch let error as ElectionError {
            #expect(error.code == .storeRefused)
            #expect(!error.message.contains("secret"))
        }
    }

    @Test func withoutTheRightToAskForInfoAConnectionMustBeOldEnough() async throws {
        let server = try await OwnRedis([
            "save \"\"", "appendonly no", "user limited on >secret ~* &* +@all -info",
        ])
        var settings = server.settings()
        (settings.username, settings.password) = ("limited", "secret")
        let provider = try RedisElectionProvider(settings)
        let log = HintLog()
        let subscription = provider.hints { log.receive($0) }
        defer { subscription.cancel() }
        let claimant = Claimant(provider)
        let start = ContinuousClock.now
        _ = try await claimant.term("g")
        #expect(ContinuousClock.now - start >= claimant.lease)
        #expect(log.warnings.count { $0.contains("INFO") } == 1)
        // The connection is known now.
        let answer = try await claimant.acquire("h")
        guard case .granted = answer else {
            Issue.record("nothing is in the way, but the answer is \(answer)")
            return
        }
        try await server.cli("client", "kill", "type", "normal")
        let isDeferred = try await eventually {
            if case .deferred = try? await claimant.acquire("i") { true } else { false }
        }
        #expect(isDeferred)
    }
}
#endif
