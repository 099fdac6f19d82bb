// SPDX-License-Identifier: MIT
#if Redis
import LeaderElection
import Testing

@testable import LeaderElectionRedis

@Suite struct ExaminationTests {
    private func troubles(
        _ info: String,
        options: RedisProviderOptions = RedisProviderOptions()
    ) -> [String] {
        var server = RedisServerInfo(connection: .init(number: 1), address: "h:6379")
        server.read("run_id:abc\r\n" + info)
        return RedisElectionProvider.findings(server, options: options).filter { !$0.isFine }.map(\.check)
    }

    private let good =
        "maxmemory_policy:noeviction\r\naof_enabled:1\r\naof_last_write_status:ok\r\nconnected_slaves:0\r\n"

    @Test func aServerThatKeepsWhatItIsGivenIsFine() {
        #expect(troubles(good) == [])
        let server = RedisServerInfo(connection: .init(number: 1), address: "h:6379")
        #expect(RedisElectionProvider.findings(server, options: RedisProviderOptions()) == [])
    }

    @Test func whatAServerMayLoseIsFound() {
        #expect(troubles(good.replacing("noeviction", with: "allkeys-lru")) == ["eviction"])
        #expect(troubles(good.replacing("aof_enabled:1", with: "aof_enabled:0")) == ["persistence"])
        #expect(troubles(good.replacing("status:ok", with: "status:err")) == ["persistence"])
        #expect(troubles(good.replacing("slaves:0", with: "slaves:2")) == ["replicas"])
    }

    @Test func replicasThatAreWaitedForHaveToBeThere() {
        var options = RedisProviderOptions()
        options.waitForReplicas = 1
        #expect(troubles(good.replacing("slaves:0", with: "slaves:2"), options: options) == [])
        #expect(troubles(good, options: options) == ["replicas"])
    }
}
#endif
