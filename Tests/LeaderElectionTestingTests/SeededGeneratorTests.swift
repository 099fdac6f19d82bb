// SPDX-License-Identifier: MIT

import LeaderElectionTesting
import Testing

@Suite("Seeded generator")
struct SeededGeneratorTests {
    @Test("it yields the published numbers of SplitMix64")
    func publishedNumbers() {
        var generator = SeededGenerator(seed: 1_234_567)
        // Vigna's reference program for this seed.
        #expect(
            (0..<3).map { _ in generator.next() } == [
                6_457_827_717_110_365_317, 3_203_168_211_198_807_973, 9_817_491_932_198_370_423,
            ]
        )
    }
}
