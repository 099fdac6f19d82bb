// SPDX-License-Identifier: MIT
#if Redis
import Foundation
import LeaderElection
import Testing

@testable import LeaderElectionRedis

/// Servers that are there and do not do what is asked: each cause is told, nothing is granted, and it ends by itself.
@Suite(.needsOwnRedis, .ownThread, .timeLimit(.minutes(2)))
struct ServerStateTests {
    private func refusal(_ call: () async throws -> Any) async -> ElectionError? {
        do { _ = try await call() } catch { return error as? ElectionError }
        return nil
    }

    @Test func aServerThatIsBusyWithAScriptIsWaitedFor() async throws {
        let server = try await OwnRedis(["save \"\"", "appendonly no", "lua-time-limit 20"])
        let claimant = Claimant(try server.provider(RedisProviderOptions(isQuarantineOn: false)), lease: .seconds(20))
        let nonce = Nonce()
        let term = try await claimant.term("g", nonce: nonce)
        async let busy = server.cli("eval", "while true do end", "0")
        #expect(
            try await eventually {
                await refusal { try await claimant.acquire("h", timeout: .milliseconds(500)) }?.message
                    .contains("SCRIPT KILL") == true
            }
        )
        #expect(try await server.cli("script", "kill") == "OK")
        #expect(try await busy.contains("killed"))
        #expect(
            try await eventually {
                if case .renewed = try? await claimant.renew("g", nonce, term) { true } else { false }
            }
        )
    }

    @Test func aServerThatCannotSaveGrantsAndRenewsNothing() async throws {
        let server = try await OwnRedis(["save 3600 1000000", "appendonly no"])
        let claimant = Claimant(try server.provider(RedisProviderOptions(isQuarantineOn: false)), lease: .seconds(20))
        let nonce = Nonce()
        let term = try await claimant.term("g", nonce: nonce)
        let answer = try await server.cli("config", "get", "dir")
        let directory = try #require(answer.split(whereSeparator: \.isNewline).last)
        // A file cannot take the place of a directory.
        let obstacle = URL(filePath: String(directory)).appending(path: "dump.rdb")
        try FileManager.default.createDirectory(at: obstacle, withIntermediateDirectories: false)
        try await server.cli("bgsave")
        #expect(try await eventually { try await server.cli("info", "persistence").contains("bgsave_status:err") })
        let errors = [
            await refusal { try await claimant.acquire("h") },
            await refusal { try await claimant.renew("g", nonce, term) },
        ]
        for error in errors { #expect(error?.message.contains("cannot save") == true, "\(String(describing: error))") }
        try FileManager.default.removeItem(at: obstacle)
        try await server.cli("bgsave")
        #expect(
            try await eventually {
                if case .renewed = try? await claimant.renew("g", nonce, term) { true } else { false }
            }
        )
    }

    @Test func aServerThatStillLoadsItsDataIsWaitedFor() async throws {
        let server = try await OwnRedis([
            "save \"\"", "appendonly no", "key-load-delay 10000", "loading-process-events-interval-bytes 1024",
        ])
        let claimant = Claimant(try server.provider())
        let term = try await claimant.term("g")
        let fill = "for i = 1, 200 do redis.call('set', 'filler' .. i, string.rep('x', 100)) end"
        try await server.cli("eval", fill, "0")
        try await server.cli("save")
        try await server.kill()
        try await server.start()
        #expect(
            try await eventually {
                await refusal { try await claimant.acquire("g") }?.message.contains("loading its data") == true
            }
        )
        // It was restarted: what it forgot, if anything, has to run out first.
        var next: Int64?
        #expect(
            try await eventually {
                next = try? await claimant.term("g")
                return next != nil
            }
        )
        #expect(next ?? 0 > term)
    }

    @Test func aLeaseThatIsThrownAwayForLackOfMemoryIsLostAndWasWarnedOf() async throws {
        let server = try await OwnRedis([
            "save \"\"", "appendonly no", "maxmemory 4mb", "maxmemory-policy allkeys-lru",
        ])
        try await server.grow()
        let (leader, other) = (Claimant(try server.provider()), Claimant(try server.provider()))
        let log = HintLog()
        let subscription = leader.provider.hints { log.receive($0) }
        defer { subscription.cancel() }
        let nonce = Nonce()
        let term = try await leader.term("g", nonce: nonce)
        #expect(log.warnings.count { $0.contains("maxmemory-policy allkeys-lru") } == 1)
        let fill = "for i = 1, 500 do redis.call('set', 'filler' .. math.random(1e9), string.rep('x', 2000)) end"
        #expect(
            try await eventually {
                try await server.cli("eval", fill, "0")
                return try await server.cli("exists", "leader-election:lease:g") == "0"
            }
        )
        guard case .lost = try await leader.renew("g", nonce, term) else {
            Issue.record("the lease is gone")
            return
        }
        // The term went with it: the server's clock makes the next one larger all the same.
        #expect(try await other.term("g") > term)
    }

    @Test func aPlainServerBehindATLSURLIsToldInOneWay() async throws {
        let server = try await OwnRedis()
        let provider = try RedisElectionProvider.redis("rediss://127.0.0.1:\(server.port)?connect-timeout=1s")
        let claimant = Claimant(provider)
        var errors: Set<String> = []
        let end = ContinuousClock.now + .seconds(4)
        while ContinuousClock.now < end {
            let error = await refusal { try await claimant.acquire("g", timeout: .milliseconds(300)) }
            errors.insert(error?.description ?? "none")
            await pass(.milliseconds(20))
        }
        #expect(errors.count == 1, "\(errors)")
        #expect(errors.first?.contains("TLS was expected") == true, "\(errors)")
    }
}
#endif
