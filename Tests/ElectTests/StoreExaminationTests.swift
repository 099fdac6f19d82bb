// SPDX-License-Identifier: MIT

import LeaderElection
import Testing

@testable import elect

@Suite struct StoreExaminationTests {
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
        #expect(findings.map(\.check) == ["reach", "guarantee", "latency", "exclusion", "push", "terms"])
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

    @Test func whatIsFoundIsSaidToPeopleAndToPrograms() {
        let finding = StoreFinding.trouble("push", "nothing was heard", why: "others wait", remedy: "listen")
        #expect(
            finding.text == "FINDING  push      nothing was heard. Why it matters: others wait. What to do: listen."
        )
        #expect(
            finding.json.description
                == #"{"check":"push","ok":false,"seen":"nothing was heard","why":"others wait","remedy":"listen"}"#
        )
        #expect(StoreFinding.fine("reach", "it answers").text == "ok       reach     it answers")
    }
}
