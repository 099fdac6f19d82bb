// SPDX-License-Identifier: MIT

import LeaderElectionConfiguration
import Testing

@testable import elect

@Suite struct DurationTextTests {
    @Test(arguments: [
        ("250ms", Duration.milliseconds(250)), ("10s", .seconds(10)), ("1.5m", .seconds(90)), ("1h", .seconds(3600)),
        ("0s", .zero), ("7us", .microseconds(7)), ("0.5s", .milliseconds(500)),
    ])
    func numbersWithAUnitAreDurations(text: String, duration: Duration) {
        #expect(DurationText.parse(text) == duration)
    }

    @Test(arguments: [
        "", "10", "s", "-1s", "+1s", "1 s", ".5s", "5.s", "1e3s", "1d", "٣s", "inf", "99999999999h", "1.2.3s",
    ])
    func everythingElseIsNot(text: String) {
        #expect(DurationText.parse(text) == nil)
    }

    @Test(arguments: ["250ms", "10s", "119s", "2m", "2.5h", "1.234s", "7us", "0ns"])
    func durationsReadAsTheyWereWritten(text: String) throws {
        #expect(DurationText.format(try #require(DurationText.parse(text))) == text)
    }
}
