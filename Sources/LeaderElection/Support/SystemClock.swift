// SPDX-License-Identifier: MIT

internal import CElectionSystem

/// The machine's clocks, with timers on the engine's own thread.
///
/// Reads `CLOCK_BOOTTIME` on Linux and `CLOCK_MONOTONIC` on macOS, where that one goes on during sleep: the clocks that
/// `ContinuousClock` stands on.
public struct SystemClock: ElectionClock {
    /// The machine's clocks.
    public init() {}

    /// The boot clock, read now.
    public var now: ElectionInstant { .now }

    /// The wall clock, at most 4 ms old.
    public var wallNanoseconds: Int64 {
        #if os(Linux)
        // Coarse: 4 ms of granularity do not matter to a guard with a second of slack, and it costs a fifth.
        Self.read(CLOCK_REALTIME_COARSE)
        #else
        Self.read(CLOCK_REALTIME)
        #endif
    }

    /// Calls `action` on the engine's thread at or soon after `deadline`.
    public func schedule(
        at deadline: ElectionInstant,
        _ action: @escaping @Sendable () -> Void
    ) -> any ElectionTimer {
        SerialThread.engine.schedule(at: deadline, action)
    }

    fileprivate static func read(_ clock: clockid_t) -> Int64 {
        var time = timespec()
        clock_gettime(clock, &time)
        return Int64(time.tv_sec) &* 1_000_000_000 &+ Int64(time.tv_nsec)
    }
}

extension ElectionInstant {
    /// The machine's boot clock, read now.
    package static var now: ElectionInstant {
        #if os(Linux)
        ElectionInstant(nanoseconds: SystemClock.read(CLOCK_BOOTTIME))
        #else
        ElectionInstant(nanoseconds: SystemClock.read(CLOCK_MONOTONIC))
        #endif
    }
}

extension ElectionClock where Self == SystemClock {
    /// The machine's clocks.
    public static var system: SystemClock { SystemClock() }
}
