// SPDX-License-Identifier: MIT
#if Redis
import LeaderElection
import Testing

@testable import LeaderElectionRedis

@Suite(.needsOwnRedis, .ownThread, .timeLimit(.minutes(1)))
struct FenceTests {
    @Test func aPausedLeadersWriteIsRefused() async throws {
        let server = try await SharedRedis.server()
        let options = RedisProviderOptions(prefix: "fence-\(Nonce())")
        let (first, second) = (Claimant(try server.provider(options)), Claimant(try server.provider(options)))
        let (fence, key) = (RedisFence(prefix: options.prefix), "data-\(Nonce())")
        let nonce = Nonce()
        let old = try await first.term("g", nonce: nonce)
        #expect(try await send(fence.write(["SET", key, "first"], key: key, term: old), server) == "OK")
        #expect(try await send(fence.write(["APPEND", key, "!"], key: key, term: old), server) == "6")
        // The first leader is paused here: it has looked at its leadership, and will write later.
        guard case .released = try await first.release("g", nonce, old) else {
            Issue.record("the lease was held")
            return
        }
        let new = try await second.term("g")
        #expect(try await send(fence.write(["SET", key, "second"], key: key, term: new), server) == "OK")
        let answer = try await send(fence.write(["SET", key, "late"], key: key, term: old), server)
        #expect(answer.hasPrefix("FENCED"), "\(answer)")
        #expect(try await server.cli("get", key) == "second")
    }

    @Test func aWriteNeedsTheLeaseIfItIsAskedFor() async throws {
        let server = try await SharedRedis.server()
        let options = RedisProviderOptions(prefix: "fence-\(Nonce())")
        let claimant = Claimant(try server.provider(options))
        let (fence, key, group) = (RedisFence(prefix: options.prefix), "data-\(Nonce())", try ElectionGroup("g"))
        let nonce = Nonce()
        let term = try await claimant.term("g", nonce: nonce)
        #expect(try await send(fence.write(["SET", key, "1"], key: key, term: term, leading: group), server) == "OK")
        for wrong in [term - 1, term + 1] {
            let answer = try await send(fence.write(["SET", key, "2"], key: key, term: wrong, leading: group), server)
            #expect(answer.hasPrefix("FENCED"), "\(answer)")
        }
        guard case .released = try await claimant.release("g", nonce, term) else {
            Issue.record("the lease was held")
            return
        }
        // Nobody has written since, and still it is too late.
        let answer = try await send(fence.write(["SET", key, "3"], key: key, term: term, leading: group), server)
        #expect(answer.hasPrefix("FENCED"), "\(answer)")
        #expect(try await server.cli("get", key) == "1")
    }

    @Test(arguments: [0, -1, .max, 1 << 53] as [Int64])
    func whatIsNoTermWritesNothing(term: Int64) async throws {
        let server = try await SharedRedis.server()
        let key = "data-\(Nonce())"
        let answer = try await send(RedisFence().write(["SET", key, "1"], key: key, term: term), server)
        #expect(answer.hasPrefix("FENCED"), "\(answer)")
        #expect(try await server.cli("exists", key) == "0")
    }

    @Test func anErrorOfTheCommandIsAnswered() async throws {
        let server = try await SharedRedis.server()
        let key = "data-\(Nonce())"
        #expect(try await send(RedisFence().write(["SET", key, "text"], key: key, term: 5), server) == "OK")
        #expect(try await send(RedisFence().write(["INCR", key], key: key, term: 6), server).hasPrefix("ERR"))
        #expect(try await send(RedisFence().write(["GET", key], key: key, term: 6), server) == "text")
    }

    private func send(_ write: RedisFence.Write, _ server: OwnRedis) async throws -> String {
        try await OwnRedis.cli(server.port, write.command)
    }
}
#endif
