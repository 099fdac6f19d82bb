// SPDX-License-Identifier: MIT

internal import ElectionSimulation
internal import Testing

@Suite
struct SimulationTests {
    /// What a seed finds is only worth something if the seed finds it again.
    @Test(arguments: [3, 8, 21, 85, 144] as [UInt64])
    func twoRunsOfOneSeedAreTheSameToTheLastFact(seed: UInt64) throws {
        let first = try Simulation.run(seed: seed)
        let second = try Simulation.run(seed: seed, isTracing: true)
        #expect(first.fingerprint == second.fingerprint)
        #expect(first.steps == second.steps)
        #expect(!second.lines.isEmpty)
    }

    @Test
    func otherSeedsAreOtherWorlds() throws {
        let fingerprints = try (1...10).map { try Simulation.run(seed: $0).fingerprint }
        #expect(Set(fingerprints).count == 10)
    }

    @Test(arguments: 0..<4)
    func noWorldBreaksAnInvariant(part: Int) throws {
        var steps = 0
        for seed in UInt64(part * 50 + 1)...UInt64(part * 50 + 50) {
            let report = try Simulation.run(seed: seed)
            if let violation = report.violation {
                Issue.record("seed \(seed): \(violation); see it with scripts/simulate --seed \(seed)")
            }
            // Past its troubles, to the orderly end.
            #expect(report.simulatedNanoseconds > Scenario(seed: seed).heal)
            #expect(report.storeRequests > 0)
            steps += report.steps
        }
        #expect(steps > 20_000)
    }
}
