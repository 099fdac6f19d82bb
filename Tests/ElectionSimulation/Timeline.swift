// SPDX-License-Identifier: MIT

internal import Synchronization

/// Real time of the simulated world, in nanoseconds, and everything that is still to happen in it.
package final class Timeline: Sendable {
    /// What happens at one instant.
    package enum Occurrence: Sendable {
        /// Something inside a process: frozen with it while it is paused.
        case inside(process: Int, @Sendable () -> Void)
        /// Something at the store or on the wire.
        case outside(@Sendable () -> Void)
        /// A step of the scenario, for the driver.
        case command(Command)
    }

    private struct Key: Comparable {
        let time: Int64
        let id: UInt64
        static func < (left: Self, right: Self) -> Bool {
            left.time != right.time ? left.time < right.time : left.id < right.id
        }
    }

    private struct State {
        var heap: [Key] = []
        var occurrences: [UInt64: Occurrence] = [:]
        var lastID: UInt64 = 0
    }

    private let clock = Atomic<Int64>(0)
    private let state = Mutex(State())

    package init() {}

    package var now: Int64 { clock.load(ordering: .relaxed) }

    @discardableResult
    package func schedule(at time: Int64, _ occurrence: Occurrence) -> UInt64 {
        let time = max(time, now)
        return state.withLock { state in
            state.lastID += 1
            state.occurrences[state.lastID] = occurrence
            state.heap.append(Key(time: time, id: state.lastID))
            Self.siftUp(&state.heap)
            return state.lastID
        }
    }

    package func cancel(_ id: UInt64) {
        _ = state.withLock { $0.occurrences.removeValue(forKey: id) }
    }

    /// Moves time to the next occurrence and returns it.
    package func advance() -> Occurrence? {
        state.withLock { state in
            while let key = state.heap.first {
                Self.removeFirst(&state.heap)
                guard let occurrence = state.occurrences.removeValue(forKey: key.id) else { continue }
                clock.store(key.time, ordering: .relaxed)
                return occurrence
            }
            return nil
        }
    }

    /// Drops whatever is left; closures keep whole processes alive.
    package func clear() {
        let dropped = state.withLock { state in
            defer { (state.heap, state.occurrences) = ([], [:]) }
            return state.occurrences
        }
        _ = dropped
    }

    private static func siftUp(_ heap: inout [Key]) {
        var child = heap.count - 1
        while child > 0, heap[child] < heap[(child - 1) / 2] {
            heap.swapAt(child, (child - 1) / 2)
            child = (child - 1) / 2
        }
    }

    private static func removeFirst(_ heap: inout [Key]) {
        heap.swapAt(0, heap.count - 1)
        heap.removeLast()
        var parent = 0
        while true {
            var least = parent
            for child in [2 * parent + 1, 2 * parent + 2] where child < heap.count && heap[child] < heap[least] {
                least = child
            }
            if least == parent { return }
            heap.swapAt(parent, least)
            parent = least
        }
    }
}
