// SPDX-License-Identifier: MIT

/// Exponential back-off with full jitter, so that candidates that failed together do not return together.
package struct RetrySchedule: Hashable, Sendable {
    /// The upper bound of the first delay.
    package var first: Duration
    /// The upper bound of every delay.
    package var cap: Duration

    package init(first: Duration, cap: Duration) {
        self.first = first
        self.cap = cap
    }

    /// The delay before the attempt after `failures` failed ones: 10 ms up to `min(cap, first · 2^(failures − 1))`.
    package func delay(afterFailures failures: Int, using random: inout some RandomNumberGenerator) -> Duration {
        let bound = max(.milliseconds(10), bound(afterFailures: failures))
        return .nanoseconds(Int64.random(in: 10_000_000...bound.wholeNanoseconds, using: &random))
    }

    /// The longest delay, for those who are to return together: `min(cap, first · 2^(failures − 1))`.
    package func bound(afterFailures failures: Int) -> Duration {
        min(cap, first * (1 << min(max(failures, 1) - 1, 20)))
    }
}
