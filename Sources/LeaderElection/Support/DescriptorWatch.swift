// SPDX-License-Identifier: MIT

internal import CElectionSystem

#if canImport(Glibc)
internal import Glibc
#elseif canImport(Musl)
internal import Musl
#else
internal import Darwin
#endif

/// What a descriptor can be ready for.
package struct DescriptorEvents: OptionSet, Sendable {
    package let rawValue: UInt8

    package init(rawValue: UInt8) { self.rawValue = rawValue }

    /// There is something to read, or the other end is gone: reading tells which.
    package static let readable = Self(rawValue: 1)
    /// There is room for more to write, or the other end is gone: writing tells which.
    package static let writable = Self(rawValue: 2)
}

/// One descriptor that a ``SerialThread`` waits for while it has nothing else to do.
struct DescriptorWatch: Sendable {
    let descriptor: Int32
    let events: DescriptorEvents
    let action: @Sendable (DescriptorEvents) -> Void

    var request: pollfd {
        var flags: Int32 = 0
        if events.contains(.readable) { flags |= Int32(POLLIN) }
        if events.contains(.writable) { flags |= Int32(POLLOUT) }
        return pollfd(fd: descriptor, events: Int16(flags), revents: 0)
    }

    func ready(_ answer: pollfd) {
        var ready: DescriptorEvents = []
        if Int32(answer.revents) & Int32(POLLIN) != 0 { ready.insert(.readable) }
        if Int32(answer.revents) & Int32(POLLOUT) != 0 { ready.insert(.writable) }
        // An error or a hang-up is told to whoever waits, whatever it waits for.
        if Int32(answer.revents) & Int32(POLLERR | POLLHUP | POLLNVAL) != 0 { ready.formUnion(events) }
        action(ready)
    }
}
