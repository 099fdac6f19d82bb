// SPDX-License-Identifier: MIT

internal import LeaderElection
internal import Synchronization

#if canImport(Glibc)
internal import Glibc
#elseif canImport(Musl)
internal import Musl
#else
internal import Darwin
#endif

/// The engine thread of one simulated process: a queue that runs only when the driver drains it.
package final class SimulationExecutor: ElectionExecutor {
    private enum Work {
        case job(UnownedJob)
        case closure(@Sendable () -> Void)
    }

    private struct State {
        /// Tasks, and what must not wait for all that is due: finished before the next of `work` begins.
        var urgent: [Work] = []
        var work: [Work] = []
        var position = 0
        /// What waits until nothing else is due.
        var last: [Work] = []
        var drainingThread: UInt?

        mutating func next() -> [Work] {
            if !urgent.isEmpty {
                defer { urgent = [] }
                return urgent
            }
            if position < work.count {
                position += 1
                return [work[position - 1]]
            }
            if position > 0 { (work, position) = ([], 0) }
            defer { last = [] }
            return last
        }
    }

    private let state = Mutex(State())

    package init() {}

    package func execute(_ work: @escaping @Sendable () -> Void) {
        state.withLock { $0.work.append(.closure(work)) }
    }

    package func executeNext(_ work: @escaping @Sendable () -> Void) {
        state.withLock { $0.urgent.append(.closure(work)) }
    }

    package func executeLast(_ work: @escaping @Sendable () -> Void) {
        state.withLock { $0.last.append(.closure(work)) }
    }

    package func enqueue(_ job: consuming ExecutorJob) {
        let job = UnownedJob(job)
        state.withLock { $0.urgent.append(.job(job)) }
    }

    package func asUnownedSerialExecutor() -> UnownedSerialExecutor { UnownedSerialExecutor(ordinary: self) }

    package func checkIsolated() {
        precondition(isDrainingHere, "this runs only while its process is drained")
    }

    package func isIsolatingCurrentContext() -> Bool? { isDrainingHere }

    /// Runs what is queued, and what that queues in turn.
    ///
    /// - Returns: how many pieces ran; more than `limit` means that the engine spins without letting time pass.
    package func drain(limit: Int) -> Int {
        state.withLock { $0.drainingThread = Self.currentThread }
        defer { state.withLock { $0.drainingThread = nil } }
        var count = 0
        while count <= limit {
            let batch = state.withLock { $0.next() }
            if batch.isEmpty { break }
            count += batch.count
            for work in batch {
                switch work {
                case .job(let job):
                    job.runSynchronously(
                        isolatedTo: asUnownedSerialExecutor(),
                        taskExecutor: asUnownedTaskExecutor()
                    )
                case .closure(let closure): closure()
                }
            }
        }
        return count
    }

    private var isDrainingHere: Bool {
        state.withLock { $0.drainingThread == Self.currentThread }
    }

    private static var currentThread: UInt {
        #if os(Linux)
        pthread_self()
        #else
        UInt(bitPattern: pthread_self())
        #endif
    }
}

/// A value that arrives once and that one task waits for.
package final class OneShot<Value: Sendable>: Sendable {
    private enum State {
        case empty
        case awaited(CheckedContinuation<Value, Never>)
        case resolved(Value)
    }

    private let state = Mutex(State.empty)

    package init() {}

    /// The first value counts.
    package func resolve(_ value: Value) {
        let waiter = state.withLock { state -> CheckedContinuation<Value, Never>? in
            switch state {
            case .empty: state = .resolved(value)
            case .resolved: break
            case .awaited(let waiter):
                state = .resolved(value)
                return waiter
            }
            return nil
        }
        waiter?.resume(returning: value)
    }

    package func value() async -> Value {
        await withCheckedContinuation { continuation in
            let value = state.withLock { state -> Value? in
                if case .resolved(let value) = state { return value }
                state = .awaited(continuation)
                return nil
            }
            if let value { continuation.resume(returning: value) }
        }
    }
}
