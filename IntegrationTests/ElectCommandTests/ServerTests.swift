// SPDX-License-Identifier: MIT

import IntegrationSupport
import Testing

/// Says for each server whether the tests of this target run over it: a server that is not there is a skip with its
/// reason, or with `ELECTION_REQUIRE_BACKENDS=1` a failure.
@Suite(.timeLimit(.minutes(5))) struct ServerTests {
    @Test(.needs(.postgres)) func postgresElects() async throws { try await elects(over: .postgres) }
    @Test(.needs(.pgbouncer)) func postgresElectsThroughAPooler() async throws { try await elects(over: .pgbouncer) }
    @Test(.needs(.redis)) func redisElects() async throws { try await elects(over: .redis) }
    @Test(.needs(.redisTLS)) func redisElectsOverTLS() async throws { try await elects(over: .redisTLS) }
    @Test(.needs(.redisSentinel)) func redisElectsBehindSentinels() async throws {
        try await elects(over: .redisSentinel)
    }
    @Test(.needs(.redisCluster)) func redisElectsInACluster() async throws { try await elects(over: .redisCluster) }
    @Test(.needs(.redisQuorum)) func aQuorumOfRedisElects() async throws { try await elects(over: .redisQuorum) }
    @Test(.needs(.consul)) func consulElects() async throws { try await elects(over: .consul) }
    @Test(.needs(.consulTLS)) func consulElectsOverTLSWithAToken() async throws { try await elects(over: .consulTLS) }
    @Test(.needs(.valkey)) func valkeyElects() async throws { try await elects(over: .valkey) }

    @Test(.needs(.zookeeper)) func zookeeperElects() async throws { try await elects(over: .zookeeper) }

    private func elects(over backend: Backend) async throws {
        let directory = try Directory()
        let candidate = try ElectCandidate(
            "c",
            group: "g-\(UInt64.random(in: 0 ... .max))",
            provider: Store.server(backend).url(in: directory),
            in: directory
        )
        #expect(try await eventually { candidate.leads })
        candidate.terminate()
        let code = try await candidate.process.exitCode()
        #expect(code == 0, "\(candidate.process.standardError)")
    }
}
