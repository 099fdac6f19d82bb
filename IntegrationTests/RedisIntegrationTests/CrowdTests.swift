// SPDX-License-Identifier: MIT
#if Redis
import LeaderElection
import Testing

@testable import LeaderElectionRedis

/// Who is told first of a release.
@Suite(.needsOwnRedis, .ownThread, .timeLimit(.minutes(2)))
struct CrowdTests {
    private let group = "grüppe 7"

    /// Processes with a log of their hints, the first `candidates` of which have asked for the lease.
    private struct Crowd {
        let claimants: [Claimant]
        let logs: [HintLog]
        let subscriptions: [any HintSubscription]
        let keys: LeaseKeys
        let nonce = Nonce()
        var term: Int64 = 0

        init(_ server: OwnRedis, _ count: Int, candidates: Int, group: String, user: String? = nil) async throws {
            var settings = server.settings()
            if let user { (settings.username, settings.password) = (user, "secret") }
            let options = RedisProviderOptions(prefix: "crowd-\(Nonce())", isQuarantineOn: false)
            let keys = LeaseKeys(prefix: options.prefix)
            self.keys = keys
            let providers = try (0..<count).map { _ in try RedisElectionProvider(settings, options: options) }
            let logs = providers.map { _ in HintLog() }
            claimants = providers.map { Claimant($0, lease: .seconds(60)) }
            self.logs = logs
            subscriptions = zip(providers, logs).map { provider, log in provider.hints { log.receive($0) } }
            #expect(try await eventually { logs.allSatisfy { $0.resyncs == 1 } })
            term = try await claimants[0].term(group, nonce: nonce)
            for claimant in claimants[1..<candidates] { _ = try await claimant.acquire(group) }
            #expect(try await eventually { logs.dropFirst().allSatisfy { $0.changes(of: group) == 1 } })
            // Until the server knows who listens where.
            let bucket = LeaseKeys.bucket(of: try ElectionGroup(group))
            let lots = (0..<HintSpread.lots).map { keys.lot($0, bucket: bucket) }
            #expect(
                try await eventually {
                    guard user == nil else { return true }
                    let answer = try await OwnRedis.cli(server.port, ["pubsub", "numsub"] + lots)
                    return answer.split(separator: "\n").compactMap { Int($0) }.reduce(0, +) == candidates
                }
            )
        }

        func release(_ group: String) async throws {
            guard case .released = try await claimants[0].release(group, nonce, term) else {
                throw OwnRedis.Failure(description: "the lease was not held")
            }
        }

        /// With how many listeners each was told of the release, once for each time.
        func told(_ group: String) -> [[Int]] {
            logs.map { log in
                log.hints.compactMap {
                    if case .freed(let freed, let count) = $0, freed.name == group { count } else { nil }
                }
            }
        }
    }

    @Test func ofManyFewAreToldFirstAndAllWhenNoneOfTheseTakesTheLease() async throws {
        let crowd = try await Crowd(try await SharedRedis.server(), 14, candidates: 14, group: group)
        try await crowd.release(group)
        #expect(try await eventually { crowd.told(group).allSatisfy { $0.last == 14 } })
        let first = crowd.told(group).filter { $0.count == 2 }
        #expect((3..<14).contains(first.count))
        #expect(crowd.told(group).allSatisfy { $0.count <= 2 })
    }

    @Test func whoIsNoCandidateIsNotWokenBeforeThoseWhoAre() async throws {
        let crowd = try await Crowd(try await SharedRedis.server(), 20, candidates: 3, group: group)
        try await crowd.release(group)
        let expected = Array(repeating: [3, 3], count: 3) + Array(repeating: [3], count: 17)
        #expect(try await eventually { crowd.told(group) == expected })
    }

    @Test func aFewAreToldOnce() async throws {
        let crowd = try await Crowd(try await SharedRedis.server(), 5, candidates: 5, group: group)
        try await crowd.release(group)
        // A second word would come before that of the next grant.
        _ = try await crowd.claimants[1].term(group)
        #expect(try await eventually { crowd.logs[2].changes(of: group) >= 3 })
        #expect(crowd.told(group)[2] == [5])
    }

    @Test func whoMayListenToOneChannelOnlyHearsOfReleasesThere() async throws {
        let server = try await OwnRedis([
            "save \"\"", "appendonly no", "user limited on >secret ~* resetchannels &crowd-*:changes +@all",
        ])
        let crowd = try await Crowd(server, 12, candidates: 12, group: group, user: "limited")
        try await crowd.release(group)
        #expect(try await eventually { crowd.told(group).allSatisfy { $0 == [12] } })
        #expect(crowd.logs.flatMap(\.warnings) == [])
        #expect(crowd.logs.allSatisfy { $0.resyncs == 1 })
    }

    @Test func othersAreToldOnlyOfALeaseThatIsStillFree() async throws {
        let server = try await SharedRedis.server()
        let crowd = try await Crowd(server, 2, candidates: 1, group: group)
        let keys = crowd.keys
        let node = try await RedisTopologies.make(server.settings()).node(forKey: keys.authority)
        func announce(_ group: String, _ term: Int64) async throws {
            let words = ["", "PUBLISH", keys.channel, "sender", "\(keys.leasePrefix.utf8.count)", "\(term)"]
            let values = try await node.run(
                LeaseScripts.announce,
                keys: [keys.leasePrefix + group],
                arguments: words.map { Array($0.utf8) },
                timeout: .seconds(2)
            )
            _ = try LeaseReply(try #require(values.first))
        }
        let other = Nonce()
        let term = try await crowd.claimants[0].term("other", nonce: other)
        guard case .released = try await crowd.claimants[0].release("other", other, term) else {
            Issue.record("the lease was not held")
            return
        }
        #expect(try await eventually { crowd.told("other")[1].count == 1 })
        try await announce(group, crowd.term)
        try await announce("other", term + 1)
        try await announce("other", term)
        #expect(try await eventually { crowd.told("other")[1].count >= 2 })
        #expect(crowd.told("other")[1].count == 2)
        #expect(crowd.told(group)[1] == [])
    }
}
#endif
