// SPDX-License-Identifier: MIT
#if Redis
import LeaderElection
import LeaderElectionTesting
import Testing

@testable import LeaderElectionRedis

@Suite(.needsOwnRedis, .ownThread, .serialized, .timeLimit(.minutes(2)))
struct ConformanceTests {
    @Test(
        arguments: ProviderConformance.cases(for: [
            .expiry, .remaining, .observedTakeover, .hints, .wipe, .everyGroupName, .notes, .quietNotes, .transfer,
        ])
    )
    func keepsThePromisesOfAProvider(_ promise: ProviderConformance.Case) async throws {
        let server = try await SharedRedis.server()
        // A prefix of its own, so that one case can lose its data without harm to the others.
        let options = RedisProviderOptions(prefix: "conformance-\(Nonce())")
        try await promise.run(
            ProviderConformance(
                makeProvider: { try server.provider(options) },
                passTime: { await pass($0) },
                wipe: {
                    let script =
                        "for _, key in ipairs(redis.call('KEYS', ARGV[1])) do redis.call('DEL', key) end return 1"
                    try await server.cli("eval", script, "0", options.prefix + ":*")
                },
                leaseDuration: .seconds(3)
            )
        )
    }
}
#endif
