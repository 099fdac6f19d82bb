// SPDX-License-Identifier: MIT
#if Consul
internal import LeaderElection
internal import NIOCore
internal import Synchronization

/// Something that happens now and then, and what waits for it, for a limited time.
final class Occasion: Sendable {
    private struct State {
        var hasCome = false
        var awaited: [UInt64: @Sendable () -> Void] = [:]
        var lastNumber: UInt64 = 0
    }

    private let loop: any EventLoop
    private let state = Mutex(State())

    init(on loop: any EventLoop) { self.loop = loop }

    /// Whether it ever happened.
    var hasCome: Bool { state.withLock { $0.hasCome } }

    /// Calls `action` once, on the event loop, when it happens next or after so much time.
    func next(within time: Duration, _ action: @escaping @Sendable () -> Void) {
        let number = state.withLock { state in
            state.lastNumber += 1
            state.awaited[state.lastNumber] = action
            return state.lastNumber
        }
        loop.scheduleTask(in: TimeAmount(time)) { self.state.withLock { $0.awaited.removeValue(forKey: number) }?() }
    }

    /// It has happened; to be called on the event loop.
    func come() {
        let awaited = state.withLock { state in
            state.hasCome = true
            defer { state.awaited = [:] }
            return state.awaited
        }
        for action in awaited.values { action() }
    }
}
#endif
