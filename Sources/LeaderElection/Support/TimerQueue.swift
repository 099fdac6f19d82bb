// SPDX-License-Identifier: MIT

/// Pending timers ordered by deadline, first set first among equals.
///
/// A cancelled timer leaves its place in the heap behind until its time comes, or until such places outnumber the
/// living: so setting and cancelling both stay cheap, and memory stays bounded by the number of living timers.
package struct TimerQueue: Sendable {
    package typealias Action = @Sendable () -> Void

    private struct Entry: Comparable {
        var deadline: ElectionInstant
        var id: UInt64

        static func < (left: Self, right: Self) -> Bool {
            (left.deadline.nanoseconds, left.id) < (right.deadline.nanoseconds, right.id)
        }
    }

    private var heap: [Entry] = []
    private var actions: [UInt64: Action] = [:]
    private var lastID: UInt64 = 0

    package init() {}

    /// How many timers are set.
    package var count: Int { actions.count }

    /// Sets a timer and returns the number by which it can be cancelled.
    package mutating func add(at deadline: ElectionInstant, _ action: @escaping Action) -> UInt64 {
        lastID += 1
        actions[lastID] = action
        heap.append(Entry(deadline: deadline, id: lastID))
        siftUp(heap.count - 1)
        return lastID
    }

    package mutating func cancel(_ id: UInt64) {
        guard actions.removeValue(forKey: id) != nil else { return }
        if heap.count > 2 * actions.count + 64 {
            heap = heap.filter { actions[$0.id] != nil }
            heap.sort()  // a sorted array is a heap
        }
    }

    /// The deadline of the earliest living timer.
    package var nextDeadline: ElectionInstant? {
        mutating get {
            while let first = heap.first, actions[first.id] == nil { removeFirst() }
            return heap.first?.deadline
        }
    }

    /// Removes the earliest timer if its time has come.
    package mutating func popDue(at now: ElectionInstant) -> Action? {
        guard let deadline = nextDeadline, deadline <= now else { return nil }
        let id = heap[0].id
        removeFirst()
        return actions.removeValue(forKey: id)
    }

    private mutating func removeFirst() {
        let last = heap.removeLast()
        guard !heap.isEmpty else { return }
        heap[0] = last
        var parent = 0
        while true {
            var child = 2 * parent + 1
            guard child < heap.count else { return }
            if child + 1 < heap.count, heap[child + 1] < heap[child] { child += 1 }
            guard heap[child] < heap[parent] else { return }
            heap.swapAt(child, parent)
            parent = child
        }
    }

    private mutating func siftUp(_ start: Int) {
        var child = start
        while child > 0 {
            let parent = (child - 1) / 2
            guard heap[child] < heap[parent] else { return }
            heap.swapAt(child, parent)
            child = parent
        }
    }
}
