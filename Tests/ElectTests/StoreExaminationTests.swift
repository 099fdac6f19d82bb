// SPDX-License-Identifier: MIT

import LeaderElection
import Testing

@testable import elect

@Suite(.timeLimit(.minutes(2))) struct StoreExaminationTests {
    private func findings(
        _ first: InMemoryElectionProvider,
        _ second: InMemoryElectionProvider,
        lease: Duration = .seconds(3600)
    ) async throws -> [StoreFinding] {
        try await StoreExamination(first, second, lease: lease).findings()
    }

    @Test func aGoodStoreHasNoFindingAndKeepsNoLease() async throws {
        let provider = InMemoryElectionProvider(store: InMemoryElectionStore())
        let findings = try await findings(provider, provider)
        #expect(findings.map(\.check) == ["reach", "guarantee", "notes", "latency", "exclusion", "push", "terms"])
        #expect(findings.filter { !$0.isFine } == [])
        guard case .free = try await provider.holders(of: [ElectionGroup("elect-doctor")])[0] else {
            Issue.record("the doctor left its lease behind")
            return
        }
    }

    @Test func twoStoresBehindOneAddressAreFound() async throws {
        let first = InMemoryElectionProvider(store: InMemoryElectionStore())
        let second = InMemoryElectionProvider(store: InMemoryElectionStore())
        let findings = try await findings(first, second)
        #expect(findings.filter { !$0.isFine }.map(\.check) == ["exclusion"])
        for provider in [first, second] {
            guard case .free = try await provider.holders(of: [ElectionGroup("elect-doctor")])[0] else {
                Issue.record("the doctor left a lease behind")
                return
            }
        }
    }

    @Test func aLeaseThatTheStoreCannotKeepIsFoundWithTheShortestThatItCan() async throws {
        let provider = InMemoryElectionProvider(store: InMemoryElectionStore())
        let tooShort = provider.guarantees.minimumLeaseDuration / 2
        let findings = try await findings(provider, provider, lease: tooShort)
        #expect(findings.map(\.check) == ["lease"])
        #expect(findings[0].trouble?.remedy.contains("at least") == true)
    }

    @Test func anotherDoctorIsNoFindingButAReasonToWait() async throws {
        let provider = InMemoryElectionProvider(store: InMemoryElectionStore())
        let request = AcquireRequest(
            group: try ElectionGroup("elect-doctor"),
            candidate: Candidate(id: "other", incarnation: Nonce(), metadata: [:]),
            nonce: Nonce(),
            leaseDuration: .seconds(3600),
            timeout: .seconds(1)
        )
        _ = try await provider.acquire([request])
        await #expect { try await findings(provider, provider) } throws: { error in
            (error as? CommandFailure)?.code == 69 && (error as? CommandFailure)?.message.contains("other") == true
        }
    }

    @Test func aClockThatStandsElsewhereOrRunsAtAnotherRateIsFound() {
        let second: Int64 = 1_000_000_000
        /// - Parameters:
        ///   - ahead: how far the store's clock is ahead at the beginning.
        ///   - gained: what it gains in the ten seconds after.
        func findings(ahead: Int64, gained: Int64, roundTrip: Int64 = 1_000_000) -> [StoreFinding] {
            let (start, wall) = (100 * second, 1_700_000_000 * second)
            return StoreClock(
                first: .init(store: wall + ahead, sent: start, received: start + roundTrip, wall: wall + roundTrip / 2),
                last: .init(
                    store: wall + 10 * second + ahead + gained,
                    sent: start + 10 * second,
                    received: start + 10 * second + roundTrip,
                    wall: wall + 10 * second + roundTrip / 2
                )
            ).findings(bound: 0.001)
        }
        func troubles(_ findings: [StoreFinding]) -> [String] { findings.filter { !$0.isFine }.map(\.check) }
        #expect(findings(ahead: 0, gained: 0).map(\.check) == ["clock", "drift"])
        #expect(troubles(findings(ahead: 900_000_000, gained: 5_000_000)) == [])
        #expect(troubles(findings(ahead: -5 * second, gained: 0)) == ["clock"])
        #expect(findings(ahead: -5 * second, gained: 0)[0].seen.hasPrefix("the store's clock is 5 s behind this"))
        #expect(troubles(findings(ahead: 0, gained: 20_000_000)) == ["drift"])
        #expect(troubles(findings(ahead: 0, gained: -20_000_000)) == ["drift"])
        #expect(findings(ahead: 0, gained: 20_000_000)[1].seen.contains("ran 0.2 % faster"))
        #expect(findings(ahead: 0, gained: -20_000_000)[1].seen.contains("ran 0.2 % slower"))
        // What answers so slowly that nothing can be said for sure is no finding.
        #expect(troubles(findings(ahead: 0, gained: 20_000_000, roundTrip: second)) == [])
    }

    @Test func theServersOfAnEnsembleAreNamedByTheURL() {
        func servers(_ url: String) -> [String] { Ensemble(url: url).servers.map { "\($0.host) \($0.port)" } }
        #expect(servers("zookeeper://h1,h2:2182/root?tickTime=1s") == ["h1 2181", "h2 2182"])
        #expect(servers("zookeeper://user:p%40ss@[::1]:2181,[fe80::2]?x") == ["::1 2181", "fe80::2 2181"])
    }

    @Test func whatServersOfAnEnsembleSayIsUnderstood() {
        #expect(Ensemble.mode(in: "Zookeeper version: 3.9\nMode: follower\nNode count: 5\n") == .serves("follower"))
        #expect(
            Ensemble.mode(in: "This ZooKeeper instance is not currently serving requests\n")
                == .silent("it has no majority")
        )
        #expect(Ensemble.mode(in: "srvr is not executed because it is not in the whitelist.\n") == .serves(nil))
        #expect(Ensemble.mode(in: "HTTP/1.1 400 Bad Request") == .silent("it does not answer as ZooKeeper does"))
        #expect(Ensemble.finding([("a:1", .serves("leader")), ("b:1", .serves(nil))]).isFine)
        #expect(Ensemble.finding([("a:1", .serves("standalone"))]).isFine)
        let missing = Ensemble.finding([
            ("a:1", .serves("leader")), ("b:1", .serves("follower")), ("c:1", .silent("Connection refused")),
        ])
        #expect(!missing.isFine)
        #expect(missing.seen.contains("c:1 does not serve (Connection refused)"))
        #expect(missing.trouble?.why.contains("of 3 lives as long as 2") == true)
        #expect(!Ensemble.finding([("a:1", .serves("standalone")), ("b:1", .serves("standalone"))]).isFine)
    }

    @Test func whatIsFoundIsSaidToPeopleAndToPrograms() {
        let finding = StoreFinding.trouble("push", "nothing was heard", why: "others wait", remedy: "listen")
        #expect(
            finding.text == "FINDING  push        nothing was heard. Why it matters: others wait. What to do: listen."
        )
        #expect(
            finding.json.description
                == #"{"check":"push","ok":false,"seen":"nothing was heard","why":"others wait","remedy":"listen"}"#
        )
        #expect(StoreFinding.fine("reach", "it answers").text == "ok       reach       it answers")
    }
}
