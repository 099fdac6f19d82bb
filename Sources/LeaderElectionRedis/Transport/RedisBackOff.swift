// SPDX-License-Identifier: MIT
#if Redis
internal import LeaderElection
internal import NIOCore

/// How long to leave a server alone after it could not be reached.
struct RedisBackOff: Sendable {
    private static var schedule: RetrySchedule { RetrySchedule(first: .milliseconds(100), cap: .seconds(1)) }
    /// A refused login is not mended within seconds, and servers write each one into their logs.
    private static var afterRefusal: RetrySchedule { RetrySchedule(first: .seconds(1), cap: .seconds(10)) }
    /// A connection that lasted this long was a good one.
    private static var proof: TimeAmount { .seconds(2) }

    private var failures = 0
    private var heldBackUntil = NIODeadline.distantPast
    private var connectedAt = NIODeadline.distantPast
    private var random = SystemRandomNumberGenerator()
    /// Why the last attempt or connection failed.
    private(set) var cause: ElectionError?

    /// The cause of the last failure, if no attempt may be made yet.
    func heldBack(at now: NIODeadline) -> ElectionError? { now < heldBackUntil ? cause : nil }

    /// When the next attempt may be made.
    var nextAttempt: NIODeadline { heldBackUntil }

    mutating func connected(at now: NIODeadline) {
        connectedAt = now
        cause = nil
    }

    mutating func failed(_ error: ElectionError, at now: NIODeadline) {
        cause = error
        failures += 1
        let schedule = error.code == .storeRefused ? Self.afterRefusal : Self.schedule
        heldBackUntil = now + TimeAmount(schedule.delay(afterFailures: failures, using: &random))
    }

    /// A connection that lasted is made anew at once; one that broke soon after it was made counts as a failure.
    mutating func lost(_ error: ElectionError, at now: NIODeadline) {
        if now - connectedAt >= Self.proof { forget() } else { failed(error, at: now) }
    }

    mutating func forget() {
        failures = 0
        heldBackUntil = .distantPast
    }
}
#endif
