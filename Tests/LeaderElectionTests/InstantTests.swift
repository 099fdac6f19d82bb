// SPDX-License-Identifier: MIT

import LeaderElection
import Testing

@Suite struct InstantTests {
    @Test(arguments: [Duration.seconds(Int64.max), .nanoseconds(Int64.max), .seconds(Int64.max) * 10])
    func noDurationIsTooLongToBeAdded(duration: Duration) {
        for instant in [ElectionInstant.now, .distantFuture, .distantPast] {
            #expect(instant + duration > instant && instant - duration < instant)
        }
        #expect(duration * 4.0 >= duration * 2.0 && duration * -4.0 < .zero)
        #expect((Duration.zero - duration).wholeNanoseconds == -duration.wholeNanoseconds)
    }

    @Test func noInstantIsTooFarAway() {
        let (first, last) = (ElectionInstant(nanoseconds: .min), ElectionInstant(nanoseconds: .max))
        #expect(last + .seconds(1) == last && first - .seconds(1) == first)
        #expect(last - first > .seconds(18_000_000_000) && first - last < .zero)
        #expect(first + .nanoseconds(5) - first == .nanoseconds(5))
    }

    @Test func durationsOfUseAreExact() {
        let decades = Duration.seconds(50 * 365 * 86_400) + .nanoseconds(7)
        #expect(decades.wholeNanoseconds == 1_576_800_000_000_000_007)
        #expect((Duration.zero - decades).wholeNanoseconds == -1_576_800_000_000_000_007)
        #expect(Duration(secondsComponent: 1, attosecondsComponent: 999_999_999).wholeNanoseconds == 1_000_000_000)
        #expect(Duration.seconds(3) * 0.5 == .milliseconds(1500))
    }
}
