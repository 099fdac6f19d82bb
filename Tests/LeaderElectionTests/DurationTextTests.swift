// SPDX-License-Identifier: MIT

import LeaderElection
import Testing

@Suite("Durations for people") struct DurationTextTests {
    @Test(arguments: [
        (0, "0 s"), (7, "7 ns"), (1500, "1.5 us"), (166_666_667, "166.7 ms"), (2_500_000_000, "2.5 s"),
        (948_000_000, "948 ms"), (9_484_700_000, "9.485 s"), (12_345_678_901, "12.35 s"), (119_000_000_000, "119 s"),
        (90_000_000_000, "90 s"), (150_000_000_000, "2.5 min"), (86_400_000_000_000, "24 h"),
        (86_401_000_000_000, "86401 s"), (5_400_000_000_000, "1.5 h"),
        (999_960_000, "1000 ms"), (-1_666_666_667, "-1.667 s"), (3_160_000_000, "3.16 s"),
    ])
    func fourDigitsAndAUnit(nanoseconds: Int64, text: String) {
        #expect(Duration.nanoseconds(nanoseconds).text() == text)
    }

    @Test func aBoundIsNeverRoundedUp() {
        #expect(Duration.nanoseconds(2_666_666_667).text(isRoundedDown: true) == "2.666 s")
        #expect(Duration.nanoseconds(12_349_999_999).text(isRoundedDown: true) == "12.34 s")
        #expect(Duration.milliseconds(10_000_999).text(isRoundedDown: true) == "10000 s")
    }
}
