// SPDX-License-Identifier: MIT
#if Redis
import Foundation
import LeaderElection
import Testing

@testable import LeaderElectionRedis

@Suite(.needsOwnRedis, .ownThread, .timeLimit(.minutes(2)))
struct FailureTests {
    @Test func aRestartWithDataKeepsTheLeaseAndGrantsNothingNewForAWhile() async throws {
        let server = try await OwnRedis(["save \"\"", "appendonly yes", "appendfsync always"])
        let (first, second) = (Claimant(try server.provider()), Claimant(try server.provider()))
        let nonce = Nonce()
        let term = try await first.term("g", nonce: nonce)
        try await server.kill()
        try await server.start()
        #expect(
            try await eventually { if case .renewed = try? await first.renew("g", nonce, term) { true } else { false } }
        )
        guard case .held(let record) = try await second.acquire("g") else {
            Issue.record("the lease survived")
            return
        }
        #expect(record.term == term)
        guard case .deferred(_, let reason) = try await second.acquire("other") else {
            Issue.record("another server may have granted this group")
            return
        }
        #expect(reason.contains("restarted"))
        guard case .released = try await first.release("g", nonce, term) else {
            Issue.record("the lease was held")
            return
        }
        #expect(try await second.term("g") > term)
    }

    @Test func aRestartWithoutDataLosesTheLeaseAndGrantsNothingNewForAWhile() async throws {
        let server = try await OwnRedis()
        let (first, second) = (Claimant(try server.provider()), Claimant(try server.provider()))
        let nonce = Nonce()
        let term = try await first.term("g", nonce: nonce)
        try await server.kill()
        try await server.start()
        let restarted = ContinuousClock.now
        #expect(
            try await eventually { if case .lost = try? await first.renew("g", nonce, term) { true } else { false } }
        )
        guard case .deferred = try await second.acquire("g") else {
            Issue.record("the leader may not know yet")
            return
        }
        let next = try await second.term("g")
        #expect(next > term)
        #expect(ContinuousClock.now - restarted >= .seconds(1))
    }

    @Test func emptyingTheServerLosesTheLeaseAndGrantsNothingNewForAWhile() async throws {
        let server = try await OwnRedis()
        try await server.grow()
        let (first, second) = (Claimant(try server.provider()), Claimant(try server.provider()))
        let nonce = Nonce()
        let term = try await first.term("g", nonce: nonce)
        guard case .held = try await second.acquire("g") else {
            Issue.record("the lease is held")
            return
        }
        try await server.cli("flushall")
        // A waiting candidate is faster than the leader.
        let emptied = ContinuousClock.now
        _ = try await second.acquire("unrelated")
        guard case .lost(nil) = try await first.renew("g", nonce, term) else {
            Issue.record("the lease is gone")
            return
        }
        guard case .deferred = try await second.acquire("g") else {
            Issue.record("other leaders may not know yet")
            return
        }
        #expect(try await second.term("g") > term)
        #expect(ContinuousClock.now - emptied >= .seconds(1))
    }

    @Test func aFreshClientOfAnEmptiedServerWaitsIfAnybodyListens() async throws {
        let server = try await OwnRedis()
        try await server.grow()
        let leader = Claimant(try server.provider())
        let subscription = leader.provider.hints { _ in }
        _ = try await leader.term("g")
        #expect(
            try await eventually { try await server.cli("pubsub", "numsub", "leader-election:changes").hasSuffix("1") }
        )
        try await server.cli("flushall")
        let fresh = Claimant(try server.provider())
        guard case .deferred(_, let reason) = try await fresh.acquire("g") else {
            Issue.record("the leader may not know yet")
            return
        }
        #expect(reason.contains("deleted"))
        subscription.cancel()
        // Nobody is there any more: an emptied server is like a new one.
        #expect(
            try await eventually { try await server.cli("pubsub", "numsub", "leader-election:changes").hasSuffix("0") }
        )
        try await server.cli("flushall")
        guard case .granted = try await Claimant(try server.provider()).acquire("g") else {
            Issue.record("nobody can be disturbed")
            return
        }
    }

    @Test func aServerWithoutMemoryGrantsAndRenewsNothing() async throws {
        let server = try await OwnRedis()
        let claimant = Claimant(try server.provider(RedisProviderOptions(isQuarantineOn: false)), lease: .seconds(20))
        let nonce = Nonce()
        let term = try await claimant.term("g", nonce: nonce)
        try await server.cli("config", "set", "maxmemory", "1")
        for call in 0..<2 {
            do {
                if call == 0 {
                    _ = try await claimant.acquire("h")
                } else {
                    _ = try await claimant.renew("g", nonce, term)
                }
                Issue.record("call \(call) succeeded")
            } catch let error as ElectionError {
                #expect(error.message.contains("OOM") || error.message.contains("memory"), "\(error)")
            }
        }
        try await server.cli("config", "set", "maxmemory", "0")
        guard case .renewed = try await claimant.renew("g", nonce, term) else {
            Issue.record("there is memory again")
            return
        }
    }

    @Test func aReplicaGrantsNothing() async throws {
        let primary = try await OwnRedis()
        let replica = try await OwnRedis(["save \"\"", "appendonly no", "replicaof 127.0.0.1 \(primary.port)"])
        #expect(try await eventually { try await replica.cli("info", "replication").contains("master_link_status:up") })
        let claimant = Claimant(try replica.provider())
        await #expect(throws: ElectionError.self) { try await claimant.acquire("g") }
        #expect(try await primary.cli("exists", "leader-election:lease:g") == "0")
    }

    @Test func aServerThatMissesItsReplicasGrantsNothing() async throws {
        let server = try await OwnRedis(["save \"\"", "appendonly no", "min-replicas-to-write 1"])
        let claimant = Claimant(try server.provider())
        do {
            _ = try await claimant.acquire("g")
            Issue.record("a grant without replicas")
        } catch let error as ElectionError {
            #expect(error.message.contains("replicas"), "\(error)")
        }
    }

    @Test func grantsThatTooFewReplicasConfirmAreUnknown() async throws {
        let primary = try await OwnRedis()
        let options = RedisProviderOptions(waitForReplicas: 1, isQuarantineOn: false)
        let claimant = Claimant(try primary.provider(options), lease: .seconds(20))
        let nonce = Nonce()
        let isUnknown = try await eventually {
            if case .unknown(let error as ElectionError) = try await claimant.acquire(
                "g",
                nonce: nonce,
                timeout: .seconds(4)
            ) {
                error.message.contains("waitForReplicas")
            } else {
                false
            }
        }
        #expect(isUnknown)
        let replica = try await OwnRedis([
            "save \"\"", "appendonly no", "replicaof 127.0.0.1 \(primary.port)", "repl-diskless-sync-delay 0",
        ])
        #expect(try await eventually { try await replica.cli("info", "replication").contains("master_link_status:up") })
        let term = try await claimant.term("g", nonce: nonce)
        #expect(try await replica.cli("hget", "leader-election:lease:g", "term") == "\(term)")
        guard case .renewed = try await claimant.renew("g", nonce, term) else {
            Issue.record("the replica is there")
            return
        }
        replica.signal(SIGSTOP)
        guard case .unknown = try await claimant.renew("g", nonce, term, timeout: .seconds(4)) else {
            Issue.record("the replica is silent")
            return
        }
        replica.signal(SIGCONT)
    }

    @Test func aPromotedReplicaGrantsNothingNewForAWhile() async throws {
        let primary = try await OwnRedis()
        let replica = try await OwnRedis([
            "save \"\"", "appendonly no", "replicaof 127.0.0.1 \(primary.port)", "repl-diskless-sync-delay 0",
        ])
        #expect(try await eventually { try await replica.cli("info", "replication").contains("master_link_status:up") })
        let first = Claimant(try primary.provider(), lease: .seconds(8))
        let nonce = Nonce()
        let term = try await first.term("g", nonce: nonce)
        #expect(try await eventually { try await replica.cli("hget", "leader-election:lease:g", "term") == "\(term)" })
        try await primary.kill()
        try await replica.cli("replicaof", "no", "one")
        let second = Claimant(try replica.provider(), lease: .seconds(8))
        guard case .deferred = try await second.acquire("other") else {
            Issue.record("the last grants may be missing here")
            return
        }
        guard case .renewed = try await Claimant(try replica.provider(), lease: .seconds(8)).renew("g", nonce, term)
        else {
            Issue.record("the lease survived")
            return
        }
        _ = try await second.term("other")
    }

    @Test func aFrozenServerIsGivenUpInTime() async throws {
        let server = try await OwnRedis()
        let claimant = Claimant(try server.provider(RedisProviderOptions(isQuarantineOn: false)), lease: .seconds(20))
        let nonce = Nonce()
        let term = try await claimant.term("g", nonce: nonce)
        server.signal(SIGSTOP)
        await #expect(throws: ElectionError.self) {
            try await claimant.renew("g", nonce, term, timeout: .milliseconds(300))
        }
        server.signal(SIGCONT)
        #expect(
            try await eventually {
                if case .renewed = try? await claimant.renew("g", nonce, term) { true } else { false }
            }
        )
    }

    @Test func aPausedServerAnswersLate() async throws {
        let server = try await OwnRedis()
        let claimant = Claimant(try server.provider(RedisProviderOptions(isQuarantineOn: false)), lease: .seconds(20))
        let nonce = Nonce()
        let term = try await claimant.term("g", nonce: nonce)
        try await server.cli("client", "pause", "600")
        await #expect(throws: ElectionError.self) {
            try await claimant.renew("g", nonce, term, timeout: .milliseconds(200))
        }
        #expect(
            try await eventually {
                if case .renewed = try? await claimant.renew("g", nonce, term) { true } else { false }
            }
        )
    }

    @Test(.enabled("cc is not installed") { FileManager.default.isExecutableFile(atPath: "/usr/bin/cc") })
    func aClockThatJumpsForwardEndsNoLease() async throws {
        let clock = try MovedClock()
        let server = try await OwnRedis(environment: clock.environment)
        try await server.grow()
        let (first, second) = (Claimant(try server.provider()), Claimant(try server.provider()))
        let log = HintLog()
        let subscription = second.provider.hints { log.receive($0) }
        defer { subscription.cancel() }
        let nonce = Nonce()
        let term = try await first.term("g", nonce: nonce)
        guard case .held(let before) = try await second.acquire("g") else {
            Issue.record("the lease is held")
            return
        }
        #expect(!before.isObserverTimed)
        try clock.move(by: 3600)
        guard case .held(let after) = try await second.acquire("g") else {
            Issue.record("the lease ended by a clock that jumped")
            return
        }
        #expect(after.isObserverTimed && after.remaining == nil)
        #expect(log.warnings.count { $0.contains("jumped") } == 1)
        // The leader goes on; a challenger that has watched it long enough may take it.
        guard case .renewed = try await first.renew("g", nonce, term) else {
            Issue.record("nobody else has the lease")
            return
        }
        guard case .held = try await second.acquire("g", observed: after.version) else {
            Issue.record("the leader has shown a sign of life since")
            return
        }
    }
}
#endif
