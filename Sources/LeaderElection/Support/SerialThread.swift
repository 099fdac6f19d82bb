// SPDX-License-Identifier: MIT

internal import CElectionSystem
internal import Synchronization

#if canImport(Glibc)
internal import Glibc
#elseif canImport(Musl)
internal import Musl
#else
internal import Darwin
#endif

/// A thread of its own that runs jobs one after another, with timers on the boot clock.
///
/// Actors and tasks that live on it go on when user code blocks the whole cooperative pool: this is what keeps
/// renewals on time. The same class serves providers whose C library blocks.
package final class SerialThread: SerialExecutor, TaskExecutor {
    /// Where the engine's decisions are made: one thread for all elections of the process.
    package static let engine = SerialThread(name: "election")

    /// Where health checks run: one that blocks holds up the others, but neither the engine nor the cooperative pool.
    static let checks = SerialThread(name: "election-checks")

    private let core: Core

    package init(name: String) {
        core = Core()
        Self.startThread(name: name) { [core] in core.run() }
    }

    deinit { core.stop() }

    /// Runs `work` on this thread after everything that was handed over before.
    package func execute(_ work: @escaping @Sendable () -> Void) {
        core.submit(.closure(work), .inTurn)
    }

    /// Runs `work` on this thread before everything that ``execute(_:)`` was given.
    package func executeNext(_ work: @escaping @Sendable () -> Void) {
        core.submit(.closure(work), .next)
    }

    /// Runs `work` on this thread once nothing else is due.
    package func executeLast(_ work: @escaping @Sendable () -> Void) {
        core.submit(.closure(work), .last)
    }

    /// Runs `action` on this thread at or soon after the deadline.
    package func schedule(at deadline: ElectionInstant, _ action: @escaping @Sendable () -> Void) -> Timer {
        Timer(id: core.addTimer(at: deadline, action), core: core)
    }

    /// Calls `action` on this thread whenever the descriptor is ready for one of `events`, until cancelled.
    ///
    /// Cancel before the descriptor is closed: its number may belong to another file right after.
    package func watch(
        _ descriptor: Int32,
        for events: DescriptorEvents,
        _ action: @escaping @Sendable (DescriptorEvents) -> Void
    ) -> Watch {
        Watch(id: core.addWatch(DescriptorWatch(descriptor: descriptor, events: events, action: action)), core: core)
    }

    package func enqueue(_ job: consuming ExecutorJob) {
        core.submit(.job(UnownedJob(job), self), .next)
    }

    package func asUnownedSerialExecutor() -> UnownedSerialExecutor { UnownedSerialExecutor(ordinary: self) }

    package func checkIsolated() {
        precondition(isCurrent, "this runs only on the election thread")
    }

    package func isIsolatingCurrentContext() -> Bool? { isCurrent }

    private var isCurrent: Bool { core.isCurrent }

    private static func startThread(name: String, _ body: @escaping @Sendable () -> Void) {
        final class Start: Sendable {
            let name: String
            let body: @Sendable () -> Void
            init(name: String, body: @escaping @Sendable () -> Void) { (self.name, self.body) = (name, body) }
        }
        let start = Unmanaged.passRetained(Start(name: name, body: body)).toOpaque()
        var attributes = pthread_attr_t()
        pthread_attr_init(&attributes)
        defer { pthread_attr_destroy(&attributes) }
        pthread_attr_setdetachstate(&attributes, Int32(PTHREAD_CREATE_DETACHED))
        #if os(Linux)
        var thread = pthread_t()
        let code = pthread_create(
            &thread,
            &attributes,
            { argument in
                let start = argument.map { Unmanaged<Start>.fromOpaque($0).takeRetainedValue() }
                start.map { election_name_thread(String($0.name.prefix(15))) }
                start?.body()
                return nil
            },
            start
        )
        #else
        var thread: pthread_t?
        let code = pthread_create(
            &thread,
            &attributes,
            { argument in
                let start = Unmanaged<Start>.fromOpaque(argument).takeRetainedValue()
                start.body()
                return nil
            },
            start
        )
        #endif
        precondition(code == 0, "the system refuses to start a thread (error \(code))")
    }

    /// A timer of a ``SerialThread``.
    package struct Timer: ElectionTimer {
        fileprivate let id: UInt64
        fileprivate let core: Core

        package func cancel() { core.cancelTimer(id) }
    }

    /// A descriptor that a ``SerialThread`` watches.
    package struct Watch: Sendable {
        fileprivate let id: UInt64
        fileprivate let core: Core

        /// No call begins after this, if it is called on the thread itself.
        package func cancel() { core.cancelWatch(id) }
    }
}

extension SerialThread {
    fileprivate enum Work {
        case job(UnownedJob, SerialThread)
        case closure(@Sendable () -> Void)

        func run() {
            switch self {
            case .job(let job, let thread):
                job.runSynchronously(
                    isolatedTo: thread.asUnownedSerialExecutor(),
                    taskExecutor: thread.asUnownedTaskExecutor()
                )
            case .closure(let work): work()
            }
        }
    }

    /// Where work stands in line.
    fileprivate enum Place {
        case next
        case inTurn
        case last
    }

    /// What the thread itself keeps: it outlives the ``SerialThread`` until the last job has run.
    fileprivate final class Core: Sendable {
        struct State {
            /// Tasks, and what must not wait for all that is due: finished before the next of `work` begins.
            var urgent: [Work] = []
            var work: [Work] = []
            /// What waits until nothing else is due.
            var last: [Work] = []
            var timers = TimerQueue()
            var watches: [UInt64: DescriptorWatch] = [:]
            var lastWatch: UInt64 = 0
            var isAsleep = false
            /// The deadline that the waker is set to; it may belong to a timer that was cancelled since.
            var armed: ElectionInstant?
            var isStopped = false
        }

        private let state = Mutex(State())
        private let waker = ThreadWaker()
        private let handOver = HandOver()
        /// Whether `urgent` holds anything: it comes before the rest of the turn.
        private let isUrgent = Atomic(false)
        /// The thread that runs; zero before it does.
        private let thread = Atomic<UInt>(0)

        var isCurrent: Bool { thread.load(ordering: .relaxed) == Self.currentThread }

        private static var currentThread: UInt {
            #if os(Linux)
            pthread_self()
            #else
            UInt(bitPattern: pthread_self())
            #endif
        }

        func submit(_ work: sending Work, _ place: Place) {
            handOver.give()
            let wasAsleep = state.withLock { state in
                switch place {
                case .next:
                    state.urgent.append(work)
                    isUrgent.store(true, ordering: .releasing)
                case .inTurn: state.work.append(work)
                case .last: state.last.append(work)
                }
                defer { state.isAsleep = false }
                return state.isAsleep
            }
            if wasAsleep { waker.wake() }
        }

        func addTimer(at deadline: ElectionInstant, _ action: @escaping @Sendable () -> Void) -> UInt64 {
            handOver.give()
            let (id, mustWake) = state.withLock { state in
                let id = state.timers.add(at: deadline, action)
                // Who sleeps is not woken only to be told when to wake up.
                let mustWake = state.isAsleep && !arm(deadline, &state)
                if mustWake { state.isAsleep = false }
                return (id, mustWake)
            }
            if mustWake { waker.wake() }
            return id
        }

        /// Sees to it that the sleep ends by the deadline; whether that can be done while it lasts.
        private func arm(_ deadline: ElectionInstant, _ state: inout State) -> Bool {
            if let armed = state.armed, armed <= deadline { return true }
            state.armed = deadline
            return waker.arm(deadline)
        }

        func cancelTimer(_ id: UInt64) {
            state.withLock { $0.timers.cancel(id) }
        }

        func addWatch(_ watch: DescriptorWatch) -> UInt64 {
            handOver.give()
            let (id, mustWake) = state.withLock { state in
                state.lastWatch += 1
                state.watches[state.lastWatch] = watch
                defer { state.isAsleep = false }
                return (state.lastWatch, state.isAsleep)
            }
            if mustWake { waker.wake() }
            return id
        }

        func cancelWatch(_ id: UInt64) {
            state.withLock { _ = $0.watches.removeValue(forKey: id) }
        }

        func stop() {
            state.withLock { $0.isStopped = true }
            waker.wake()
        }

        private enum Step {
            case urgent([Work])
            case turn([Work])
            case sleep(until: ElectionInstant?, [UInt64: DescriptorWatch])
            case end
        }

        func run() {
            thread.store(Self.currentThread, ordering: .relaxed)
            // The last one first, and let go of as soon as it has run, so that the next one finds its memory warm.
            var turn: [Work] = []
            while true {
                if !isUrgent.load(ordering: .acquiring), let item = turn.popLast() {
                    handOver.take()
                    item.run()
                    continue
                }
                switch nextStep() {
                case .urgent(let work): for item in work { item.run() }
                case .turn(let work):
                    turn = work
                    turn.reverse()
                case .sleep(let deadline, let watches):
                    turn = []
                    sleep(until: deadline, watches)
                case .end:
                    waker.close()
                    return
                }
            }
        }

        private func sleep(until deadline: ElectionInstant?, _ watches: [UInt64: DescriptorWatch]) {
            let ids = Array(watches.keys)
            var descriptors = ids.compactMap { watches[$0]?.request }
            waker.wait(until: deadline, watching: &descriptors)
            state.withLock { $0.isAsleep = false }
            for (id, descriptor) in zip(ids, descriptors) where descriptor.revents != 0 {
                // What came before may have cancelled it.
                state.withLock { $0.watches[id] }?.ready(descriptor)
            }
        }

        /// What to do when something is urgent or the turn is over.
        private func nextStep() -> Step {
            defer { handOver.take() }
            return state.withLock { state in
                isUrgent.store(false, ordering: .relaxed)
                if !state.urgent.isEmpty {
                    defer { state.urgent = [] }
                    return .urgent(state.urgent)
                }
                let now = ElectionInstant.now
                while let action = state.timers.popDue(at: now) { state.work.append(.closure(action)) }
                if !state.work.isEmpty {
                    defer { state.work = [] }
                    return .turn(state.work)
                }
                if !state.last.isEmpty {
                    defer { state.last = [] }
                    return .turn(state.last)
                }
                if state.isStopped { return .end }
                if let armed = state.armed, armed <= now || !ThreadWaker.canBeArmed { state.armed = nil }
                let next = state.timers.nextDeadline
                if let next { _ = arm(next, &state) }
                state.isAsleep = true
                return .sleep(until: next, state.watches)
            }
        }
    }
}
