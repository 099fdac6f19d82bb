// SPDX-License-Identifier: MIT

import LeaderElection
import LeaderElectionTesting
import Synchronization
import Testing

@Suite("Conformance suite", .timeLimit(.minutes(2)))
struct ConformanceSuiteTests {
    private static let capabilities: ProviderConformance.Capabilities = [
        .expiry, .remaining, .observedTakeover, .hints, .wipe, .crash, .everyGroupName, .notes, .quietNotes, .transfer,
    ]

    private func fixture(_ defect: BrokenProvider.Defect?) -> ProviderConformance {
        let clock = ManualClock()
        let shared = BrokenProvider.Shared(defect, clock: clock)
        return ProviderConformance(
            makeProvider: { BrokenProvider(shared) },
            passTime: { clock.advance(by: $0) },
            crash: { _ in },
            wipe: {
                shared.store.wipe()
                shared.memory.withLock { $0.termOffset = [:] }
            },
            hintTimeout: .milliseconds(20)
        )
    }

    private func failures(of defect: BrokenProvider.Defect?) async -> [ConformanceFailure] {
        var failures: [ConformanceFailure] = []
        for conformanceCase in ProviderConformance.cases(for: Self.capabilities) {
            do {
                try await conformanceCase.run(fixture(defect))
            } catch let failure as ConformanceFailure {
                failures.append(failure)
            } catch {
                failures.append(ConformanceFailure(promise: conformanceCase.description, observation: "\(error)"))
            }
        }
        return failures
    }

    @Test("finds nothing wrong where there is no defect")
    func findsNothing() async {
        #expect(await failures(of: nil) == [])
    }

    @Test("finds every defect, and has no case that finds none")
    func findsDefects() async {
        var useless = Set(ProviderConformance.cases(for: Self.capabilities).map(\.description))
        for defect in BrokenProvider.Defect.allCases {
            // A race shows when two calls really overlap: the suite is run again until they have, within reason.
            var failures = await failures(of: defect)
            for _ in 1..<20 where failures.isEmpty { failures = await self.failures(of: defect) }
            #expect(!failures.isEmpty, "no case noticed \(defect)")
            useless.subtract(failures.map(\.promise))
        }
        #expect(useless == [])
    }

    /// A store whose answers get lost: those of each provider as the rule says.
    private func fixture(losing occasion: FaultRule.Occasion, of verbs: Set<FaultRule.Operation>) -> ProviderConformance
    {
        let clock = ManualClock()
        let store = InMemoryElectionStore(clock: clock)
        let rule = FaultRule(.dropAfterApplying, when: occasion, on: verbs)
        return ProviderConformance(
            makeProvider: {
                FaultyProvider(wrapping: InMemoryElectionProvider(store: store), clock: clock, rules: [rule])
            },
            passTime: { clock.advance(by: $0) }
        )
    }

    /// Cases, each with the verbs whose answers get lost.
    private static let exchanges: [(ProviderConformance.Case, Set<FaultRule.Operation>)] = {
        let plain = ProviderConformance.cases(for: .expiry).filter { $0.requires == .expiry }
        let others: [String: Set<FaultRule.Operation>] = [
            "a lease that is transferred is the heir's, in a larger term": [.transfer],
            "an heir's lease lasts from the transfer on": [.transfer],
            "a note is read as it was written, by everybody, until it is removed": [
                .writeNotes, .removeNotes, .readNotes,
            ],
        ]
        return plain.map { ($0, [.acquire, .renew, .release, .holders]) }
            + ProviderConformance.cases(for: .all).compactMap { aCase in others[aCase.description].map { (aCase, $0) } }
    }()

    @Test(
        "an answer that is lost once breaks no promise",
        arguments: exchanges,
        [[true], [false, true], [false, false, true]]
    )
    func toleratesLostAnswers(
        _ exchange: (ProviderConformance.Case, Set<FaultRule.Operation>),
        losses: [Bool]
    ) async throws {
        try await exchange.0.run(fixture(losing: .sequence(losses), of: exchange.1))
    }

    @Test("a store whose answers never come is a defect", arguments: exchanges)
    func refusesSilence(_ conformanceCase: ProviderConformance.Case, _ verbs: Set<FaultRule.Operation>) async {
        await #expect(throws: ConformanceFailure.self) {
            try await conformanceCase.run(fixture(losing: .always, of: verbs))
        }
    }

    @Test("what is said of lost answers is said of cases that there are")
    func knowsTheExchanges() {
        #expect(Self.exchanges.count { $0.1.contains(.transfer) || $0.1.contains(.readNotes) } == 3)
    }

    @Test("every case has a name of its own")
    func distinctNames() {
        let names = ProviderConformance.cases.map(\.description)
        #expect(Set(names).count == names.count)
    }

    @Test("a case whose capability is missing is not listed, and fails if it is run all the same")
    func missingCapability() async throws {
        #expect(ProviderConformance.cases(for: .all).count == ProviderConformance.cases.count)
        let plain = ProviderConformance.cases(for: [])
        #expect(!plain.isEmpty)
        let store = InMemoryElectionStore(clock: ManualClock())
        let bare = ProviderConformance(makeProvider: { InMemoryElectionProvider(store: store) })
        let dependent = ProviderConformance.cases.filter {
            !$0.requires.isDisjoint(with: [.expiry, .wipe, .crash])
        }
        #expect(dependent.count > 10)
        for conformanceCase in dependent {
            await #expect(throws: ConformanceFailure.self, "\(conformanceCase)") { try await conformanceCase.run(bare) }
        }
    }
}
