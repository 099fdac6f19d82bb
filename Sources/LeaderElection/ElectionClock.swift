// SPDX-License-Identifier: MIT

/// Where a service takes its time from: the only thing in this package that reads a clock or sets a timer.
///
/// Programs use ``SystemClock``; tests use `ManualClock` of `LeaderElectionTesting`.
public protocol ElectionClock: Sendable {
    /// Monotonic time that counts suspend. Every deadline is on this clock.
    var now: ElectionInstant { get }

    /// Nanoseconds of wall-clock time since 1970; may be some milliseconds coarse.
    ///
    /// Never used to prolong anything: a forward step larger than a lease ends leadership early, because it can be the
    /// only trace of a pause that the monotonic clock did not see, such as a restored checkpoint.
    var wallNanoseconds: Int64 { get }

    /// Calls `action` once, at or soon after `deadline`, on any thread; it must not block.
    ///
    /// A timer that fires late never makes an election unsafe, it only delays events.
    func schedule(at deadline: ElectionInstant, _ action: @escaping @Sendable () -> Void) -> any ElectionTimer
}

/// A timer that has been set and may be taken back.
public protocol ElectionTimer: Sendable {
    /// Takes the timer back. It may still fire if it is firing now; after it fired this does nothing.
    func cancel()
}
