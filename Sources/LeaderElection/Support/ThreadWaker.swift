// SPDX-License-Identifier: MIT

internal import CElectionSystem

#if canImport(Glibc)
internal import Glibc
#elseif canImport(Musl)
internal import Musl
#else
internal import Darwin
#endif

/// Lets one thread sleep until another wakes it, the boot clock reaches a deadline, or a descriptor is ready.
///
/// On Linux the deadline is a `timerfd` on `CLOCK_BOOTTIME`, so a timer whose time passed while the machine was
/// suspended fires right after it resumes. A process that has no file descriptor left when the thread starts gets a
/// thread that looks around every 5 ms instead: worse, but better than none.
struct ThreadWaker: Sendable {
    #if os(Linux)
    /// Whether ``arm(_:)`` changes the deadline of one who waits already.
    static let canBeArmed = true

    private let event = eventfd(0, Int32(EFD_CLOEXEC) | Int32(EFD_NONBLOCK))
    private let timer = timerfd_create(
        CLOCK_BOOTTIME,
        Int32(TFD_CLOEXEC) | Int32(TFD_NONBLOCK)
    )

    func wake() {
        var one: UInt64 = 1
        _ = write(event, &one, 8)
    }

    /// Sets the deadline, from any thread, whether somebody waits or not.
    ///
    /// - Returns: whether one who waits already goes by it; if not, it has to be woken.
    func arm(_ deadline: ElectionInstant) -> Bool {
        var spec = itimerspec()
        // All zero would disarm the timer: a deadline in the past is one nanosecond after boot.
        let nanoseconds = max(1, deadline.nanoseconds)
        spec.it_value.tv_sec = Int(nanoseconds / 1_000_000_000)
        spec.it_value.tv_nsec = Int(nanoseconds % 1_000_000_000)
        return timerfd_settime(timer, Int32(TFD_TIMER_ABSTIME), &spec, nil) == 0
    }

    /// Returns when woken, at the deadline that is set, when one of `watched` is ready, or now and then for no reason.
    func wait(until _: ElectionInstant?, watching watched: inout [pollfd]) {
        let isBlind = event < 0 || timer < 0
        let own = watched.count
        watched.append(pollfd(fd: event, events: Int16(POLLIN), revents: 0))
        watched.append(pollfd(fd: timer, events: Int16(POLLIN), revents: 0))
        defer { watched.removeLast(2) }
        // A negative descriptor is passed over by poll.
        if poll(&watched, nfds_t(watched.count), isBlind ? 5 : -1) > 0 {
            var count: UInt64 = 0
            if watched[own].revents != 0 { _ = read(event, &count, 8) }
            if watched[own + 1].revents != 0 { _ = read(timer, &count, 8) }
        }
    }

    func close() {
        for descriptor in [event, timer] where descriptor >= 0 { _ = CElectionSystem.close(descriptor) }
    }
    #else
    private let reading: Int32
    private let writing: Int32

    init() {
        var ends: [Int32] = [-1, -1]
        if pipe(&ends) != 0 { ends = [-1, -1] }
        for end in ends {
            _ = fcntl(end, F_SETFD, FD_CLOEXEC)
            _ = fcntl(end, F_SETFL, O_NONBLOCK)
        }
        (reading, writing) = (ends[0], ends[1])
    }

    func wake() {
        var one: UInt8 = 1
        _ = write(writing, &one, 1)
    }

    static let canBeArmed = false

    func arm(_ deadline: ElectionInstant) -> Bool { false }

    func wait(until deadline: ElectionInstant?, watching watched: inout [pollfd]) {
        let left = deadline.map { Int32(clamping: max(0, ($0 - .now).wholeNanoseconds / 1_000_000 + 1)) } ?? -1
        let own = watched.count
        watched.append(pollfd(fd: reading, events: Int16(POLLIN), revents: 0))
        defer { watched.removeLast() }
        if poll(&watched, nfds_t(watched.count), reading < 0 ? 5 : left) > 0, watched[own].revents != 0 {
            var bytes: UInt64 = 0
            while read(reading, &bytes, 8) == 8 {}
        }
    }

    func close() {
        for descriptor in [reading, writing] where descriptor >= 0 { _ = CElectionSystem.close(descriptor) }
    }
    #endif
}
