// SPDX-License-Identifier: MIT
#if Redis
import Foundation
import LeaderElection
import LeaderElectionTesting
import Testing

@testable import LeaderElectionRedis

/// Five servers that know nothing of each other, old enough for a prefix to count as fresh.
private struct Quorum {
    let servers: [OwnRedis]

    init(_ count: Int = 5) async throws {
        var servers: [OwnRedis] = []
        for _ in 0..<count { servers.append(try await OwnRedis()) }
        for server in servers { try await server.grow() }
        self.servers = servers
    }

    func provider(_ options: RedisProviderOptions = RedisProviderOptions()) throws -> RedisElectionProvider {
        var settings = RedisSettings(.quorum(servers.map { .host("127.0.0.1", port: Int($0.port)) }))
        settings.connectTimeout = .seconds(2)
        return try RedisElectionProvider(settings, options: options)
    }
}

private actor SharedQuorum {
    static let shared = SharedQuorum()
    private var task: Task<Quorum, any Error>?

    func quorum() async throws -> Quorum {
        if let task { return try await task.value }
        let task = Task { () async throws -> Quorum in
            let quorum = try await Quorum(3)
            for server in quorum.servers { try await server.grow(older: 5) }
            return quorum
        }
        self.task = task
        return try await task.value
    }
}

@Suite(.needsOwnRedis, .ownThread, .serialized, .timeLimit(.minutes(2)))
struct QuorumConformanceTests {
    @Test(arguments: ProviderConformance.cases(for: [.expiry, .remaining, .hints, .everyGroupName]))
    func keepsThePromisesOfAProvider(_ promise: ProviderConformance.Case) async throws {
        let quorum = try await SharedQuorum.shared.quorum()
        let options = RedisProviderOptions(prefix: "conformance-\(Nonce())")
        try await promise.run(
            ProviderConformance(
                makeProvider: { try quorum.provider(options) },
                passTime: { await pass($0) },
                leaseDuration: .seconds(3)
            )
        )
    }
}

@Suite(.needsOwnRedis, .ownThread, .timeLimit(.minutes(2)))
struct QuorumTests {
    @Test func twoOfFiveMayDie() async throws {
        let quorum = try await Quorum()
        let (first, second) = (Claimant(try quorum.provider()), Claimant(try quorum.provider()))
        let nonce = Nonce()
        let term = try await first.term("g", nonce: nonce)
        for server in quorum.servers.prefix(2) { try await server.kill() }
        for _ in 0..<5 {
            guard case .renewed = try await first.renew("g", nonce, term) else {
                Issue.record("a majority is there")
                return
            }
            guard case .held(let record) = try await second.acquire("g") else {
                Issue.record("the lease is held")
                return
            }
            #expect(record.term == term)
        }
        guard case .released = try await first.release("g", nonce, term) else {
            Issue.record("a majority is there")
            return
        }
        #expect(try await second.term("g") > term)
    }

    @Test func withoutAMajorityNobodyLeads() async throws {
        let quorum = try await Quorum()
        let (first, second) = (Claimant(try quorum.provider()), Claimant(try quorum.provider()))
        let nonce = Nonce()
        let term = try await first.term("g", nonce: nonce)
        for server in quorum.servers.prefix(3) { try await server.kill() }
        for _ in 0..<3 {
            guard case .unknown = try await first.renew("g", nonce, term) else {
                Issue.record("two of five are no majority")
                return
            }
            guard case .unknown = try await second.acquire("other") else {
                Issue.record("two of five are no majority")
                return
            }
        }
        // They come back with nothing: nobody is granted anything before the leases of before are over.
        for server in quorum.servers.prefix(3) { try await server.start() }
        var isDeferred = false
        let granted = try await eventually {
            switch try await second.acquire("g") {
            case .deferred(_, let reason):
                isDeferred = isDeferred || reason.contains("forgotten")
                return false
            case .granted(let next, _):
                #expect(next > term)
                return true
            default: return false
            }
        }
        #expect(granted && isDeferred)
    }

    @Test func aFrozenServerDelaysNobody() async throws {
        let quorum = try await Quorum(3)
        let claimant = Claimant(try quorum.provider())
        let nonce = Nonce()
        let term = try await claimant.term("g", nonce: nonce)
        quorum.servers[2].signal(SIGSTOP)
        defer { quorum.servers[2].signal(SIGCONT) }
        for _ in 0..<200 {
            // Each has two seconds; all of them together would need minutes if they waited for the frozen one.
            guard case .renewed = try await claimant.renew("g", nonce, term) else {
                Issue.record("two of three are a majority")
                return
            }
        }
    }

    @Test func aServerThatForgotIsToldAgain() async throws {
        let quorum = try await Quorum(3)
        let claimant = Claimant(try quorum.provider())
        let nonce = Nonce()
        let term = try await claimant.term("g", nonce: nonce)
        for server in quorum.servers {
            // One after the other loses everything, more than a majority in the end.
            try await server.kill()
            try await server.start()
            let isHealed = try await eventually {
                guard case .renewed = try await claimant.renew("g", nonce, term) else { return false }
                return try await server.cli("hget", "leader-election:lease:g", "term") == "\(term)"
            }
            #expect(isHealed)
        }
        guard case .held(let record) = try await Claimant(try quorum.provider()).acquire("g") else {
            Issue.record("the lease is held")
            return
        }
        #expect(record.term == term)
    }

    @Test func candidatesThatComeAtOnceDoNotBothSucceed() async throws {
        let quorum = try await Quorum(3)
        var last: Int64 = 0
        for round in 0..<10 {
            let answers = try await withThrowingTaskGroup(of: AcquireAnswer.self) { tasks in
                for _ in 0..<8 {
                    let claimant = Claimant(try quorum.provider())
                    tasks.addTask { try await claimant.acquire("g\(round % 2)", timeout: .seconds(5)) }
                }
                return try await tasks.reduce(into: [AcquireAnswer]()) { $0.append($1) }
            }
            let terms = answers.compactMap { if case .granted(let term, _) = $0 { term } else { nil } }
            #expect(terms.count <= 1)
            if round < 2 { continue }
            last = max(last, terms.first ?? 0)
        }
    }
}
#endif
