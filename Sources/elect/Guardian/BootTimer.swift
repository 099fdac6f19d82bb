// SPDX-License-Identifier: MIT

#if os(Linux)
internal import CElectionSystem
internal import CElectCommand

#if canImport(Glibc)
internal import Glibc
#elseif canImport(Musl)
internal import Musl
#endif

/// A descriptor that becomes readable at an instant of the boot clock, right after a resume if that is when it passed.
struct BootTimer: Sendable {
    let descriptor: Int32

    /// Nil if the system has no descriptor left.
    init?() {
        descriptor = timerfd_create(CLOCK_BOOTTIME, Int32(TFD_CLOEXEC) | Int32(TFD_NONBLOCK))
        guard descriptor >= 0 else { return nil }
    }

    /// May be called by any thread; replaces what was set before.
    func set(_ nanoseconds: Int64) {
        let at = max(1, nanoseconds)  // all zero would disarm it
        var spec = itimerspec()
        spec.it_value.tv_sec = Int(at / 1_000_000_000)
        spec.it_value.tv_nsec = Int(at % 1_000_000_000)
        timerfd_settime(descriptor, Int32(TFD_TIMER_ABSTIME), &spec, nil)
    }

    func drain() {
        var count: UInt64 = 0
        _ = read(descriptor, &count, 8)
    }

    func close() {
        _ = CElectCommand.close(descriptor)
    }

    /// Waits until one of the descriptors is readable or closed.
    static func waitForAny(_ descriptors: [Int32]) {
        var polled = descriptors.map { pollfd(fd: $0, events: Int16(POLLIN), revents: 0) }
        _ = poll(&polled, nfds_t(polled.count), -1)
    }
}
#endif
