// SPDX-License-Identifier: MIT
#if Redis
import LeaderElection
import Synchronization
import Testing

@testable import LeaderElectionRedis

/// What candidates make of a server that may have forgotten leases: when the wait begins, and that they say why.
@Suite(.needsOwnRedis, .ownThread, .timeLimit(.minutes(2)))
struct QuarantineTests {
    private static let durable = ["save \"\"", "appendonly yes", "appendfsync always"]
    private static let lease = Duration.seconds(5)

    /// Remembers what one candidate was told.
    private final class Told: ElectionWitness {
        private let all = Mutex<[ElectionEvent]>([])

        func saw(_ observation: ElectionObservation) {
            if case .event(let event) = observation { all.withLock { $0.append(event) } }
        }

        func events(_ kind: ElectionEvent.Kind) -> [ElectionEvent] { all.withLock { $0.filter { $0.kind == kind } } }
    }

    private typealias Member = (service: ElectionService, told: Told)

    /// Runs a leader and somebody who waits, each as if it were a process of its own.
    private func withLeaderAndHeir(
        of server: OwnRedis,
        _ body: (_ leader: Member, _ heir: Member) async throws -> Void
    ) async throws {
        let members = try ["leader", "heir"].map { name -> Member in
            let configuration = ElectionConfiguration(candidate: name, leaseDuration: Self.lease)
            let service = try ElectionService("g", provider: try server.provider(), configuration: configuration)
            let told = Told()
            service.attach(told)
            return (service, told)
        }
        try await withThrowingDiscardingTaskGroup { tasks in
            for (service, told) in members {
                tasks.addTask { try await service.run() }
                #expect(try await eventually { told.events(.changed).last?.leader?.id == "leader" })
            }
            #expect(
                try await eventually {
                    try await server.cli("pubsub", "numsub", "leader-election:changes").hasSuffix("2")
                }
            )
            try await body(members[0], members[1])
            for (service, _) in members { service.stop() }
        }
    }

    private func restart(_ server: OwnRedis) async throws {
        try await server.kill()
        try await server.start()
    }

    /// Whether the run of the server that answers now is the one that grants are counted for.
    private func isNoticed(_ server: OwnRedis) async throws -> Bool {
        let info = try await server.cli("info", "server").split(whereSeparator: \.isNewline)
        let run = try #require(info.first { $0.hasPrefix("run_id:") }).dropFirst("run_id:".count)
        return try await server.cli("hget", "leader-election:authority", "identity").hasPrefix(run)
    }

    @Test func aHandOverLongAfterARestartWaitsForNothing() async throws {
        let server = try await OwnRedis(Self.durable)
        try await withLeaderAndHeir(of: server) { leader, heir in
            let term = leader.service.leadership?.term
            try await restart(server)
            #expect(try await eventually { try await isNoticed(server) })
            await pass(Self.lease + .milliseconds(200))
            #expect(leader.service.leadership?.term == term && term != nil)
            leader.service.stop()
            #expect(try await eventually { heir.service.isLeader })
            let released = try #require(leader.told.events(.lost).first?.instant)
            let acquired = try #require(heir.told.events(.acquired).first?.instant)
            #expect(acquired - released < Self.lease / 2, "a new quarantine lasts as long as a lease")
            #expect(heir.told.events(.deferred).isEmpty)
        }
    }

    @Test func aHandOverRightAfterARestartWaitsForWhatMayBeForgotten() async throws {
        let server = try await OwnRedis(Self.durable)
        try await withLeaderAndHeir(of: server) { leader, heir in
            let term = leader.service.leadership?.term
            try await server.kill()
            let killed = ElectionInstant.now
            try await server.start()
            #expect(try await eventually { try await isNoticed(server) })
            #expect(leader.service.leadership?.term == term && term != nil)
            leader.service.stop()
            #expect(try await eventually { heir.service.isLeader })
            // Any lease of before was renewed before the server was killed.
            #expect(try #require(heir.told.events(.acquired).first?.instant) - killed >= Self.lease)
            let deferrals = heir.told.events(.deferred)
            #expect(deferrals.count == 1)
            #expect(deferrals.first?.reason?.rawValue.contains("forgotten leases") == true)
        }
    }

    @Test func aLeaderNotesARestartWhereNobodyWaits() async throws {
        let server = try await OwnRedis(Self.durable)
        let claimant = Claimant(try server.provider())
        let log = HintLog()
        let subscription = claimant.provider.hints { log.receive($0) }
        defer { subscription.cancel() }
        let nonce = Nonce()
        let term = try await claimant.term("g", nonce: nonce)
        #expect(try await eventually { log.hints.contains(.resync) })
        let calls = claimant.provider.roundTrips
        _ = try await claimant.renew("g", nonce, term)
        #expect(claimant.provider.roundTrips == calls + 1, "there is nothing to be looked at")
        try await restart(server)
        // The engine renews then; whether the lease has survived is not what this is about.
        #expect(try await eventually { log.resyncs == 2 })
        #expect(try await eventually { (try? await claimant.renew("g", nonce, term)) != nil })
        #expect(try await isNoticed(server))
    }

    @Test func whoWaitsWhileTheDataIsGoneSaysWhy() async throws {
        let server = try await OwnRedis()
        try await server.grow(older: 6)
        try await withLeaderAndHeir(of: server) { leader, heir in
            let term = try #require(leader.service.leadership?.term)
            // A renewal that meets the loss at once would let its quarantine end when it is the heir's turn to ask.
            #expect(try await eventually { !leader.told.events(.renewed).isEmpty })
            try await server.cli("flushall")
            #expect(try await eventually { heir.told.events(.deferred).first != nil })
            let deferral = try #require(heir.told.events(.deferred).first)
            // Who asks first learns what has happened, the next only that something has.
            #expect(deferral.reason?.rawValue.contains(/data was deleted|emptied a short time ago/) == true)
            let retry = try #require(deferral.retryAt)
            #expect(retry - deferral.instant <= Self.lease && retry > deferral.instant)
            #expect(try await eventually { leader.service.isLeader || heir.service.isLeader })
            #expect((leader.service.leadership ?? heir.service.leadership)?.term ?? 0 > term)
            // However often each of them has asked in between.
            #expect(heir.told.events(.deferred).count == 1 && leader.told.events(.deferred).count <= 1)
        }
    }
}
#endif
