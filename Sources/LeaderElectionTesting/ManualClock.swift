// SPDX-License-Identifier: MIT

public import LeaderElection
internal import Synchronization

/// A clock that stands still until a test moves it.
///
/// A test waits until the code under test has set its timer, and then moves the clock to it. Nothing sleeps, and
/// nothing hopes that yielding often enough will do:
/// ```swift
/// let clock = ManualClock()
/// async let outcome: Void = worker.run(clock: clock)
/// try await clock.waitForTimer(by: clock.now.advanced(by: .seconds(5)))
/// clock.advance(by: .seconds(5))
/// ```
/// Timers fire on the thread that moves the clock, before ``advance(by:)`` returns; what they set in motion on other
/// threads may still be under way then.
public final class ManualClock: ElectionClock, Clock {
    /// Instants of this clock are those of every ``/LeaderElection/ElectionClock``.
    public typealias Instant = ElectionInstant

    private struct State {
        var now: ElectionInstant
        /// Wall-clock nanoseconds at instant 0.
        var wallOffset: Int64
        var timers = TimerQueue()
        var pending: [ElectionInstant: Int] = [:]
        var timersSet = 0
        var waiters: [Waiter] = []

        mutating func forget(_ deadline: ElectionInstant) {
            pending[deadline] = pending[deadline].flatMap { $0 > 1 ? $0 - 1 : nil }
        }

        mutating func takeSatisfiedWaiters() -> [Waiter] {
            guard !waiters.isEmpty else { return [] }
            var satisfied: [Waiter] = []
            var others: [Waiter] = []
            for waiter in waiters {
                if isSatisfied(waiter.condition) { satisfied.append(waiter) } else { others.append(waiter) }
            }
            waiters = others
            return satisfied
        }

        mutating func isSatisfied(_ condition: Condition) -> Bool {
            switch condition {
            case .timer(let range):
                guard range.lowerBound < range.upperBound else { return pending[range.lowerBound] != nil }
                return pending.keys.contains { range.contains($0) }
            case .pending(let count): return timers.count >= count
            case .set(let count): return timersSet > count
            }
        }
    }

    private enum Condition {
        case timer(ClosedRange<ElectionInstant>)
        case pending(Int)
        case set(Int)
    }

    private struct Waiter {
        let condition: Condition
        let gate: Gate
    }

    private let state: Mutex<State>
    private let waitersMade = HandOver()

    /// A clock that stands at `now`, with the wall clock at the given nanoseconds since 1970.
    public init(
        now: ElectionInstant = ElectionInstant(nanoseconds: 1_000_000_000_000),
        wallNanoseconds: Int64 = 1_767_225_600_000_000_000
    ) {
        state = Mutex(State(now: now, wallOffset: wallNanoseconds - now.nanoseconds))
    }

    /// The instant that the clock stands at.
    public var now: ElectionInstant { state.withLock { $0.now } }

    /// The wall clock, which moves along with the clock and can be stepped on its own.
    public var wallNanoseconds: Int64 { state.withLock { $0.wallOffset + $0.now.nanoseconds } }

    /// One nanosecond.
    public var minimumResolution: Duration { .nanoseconds(1) }

    /// Steps the wall clock, forwards or backwards, while the clock stands still.
    public func stepWall(by step: Duration) {
        state.withLock { $0.wallOffset += step.wholeNanoseconds }
    }
}

// MARK: - Moving time

extension ManualClock {
    /// Moves the clock on, and fires what falls due, as ``advance(to:)`` does.
    public func advance(by duration: Duration) {
        advance(to: now.advanced(by: duration))
    }

    /// Moves the clock to `target`, stopping at each deadline on the way to fire its timer.
    ///
    /// While a timer fires, ``now`` is its deadline; timers that it sets are fired in turn if they fall due. A target in
    /// the past does not move the clock: time never goes back.
    public func advance(to target: ElectionInstant) {
        while let action = popDue(until: target) { action() }
    }

    /// Moves the clock on as if the machine had slept: timers that fell due meanwhile fire only afterwards.
    ///
    /// Unlike ``advance(by:)``, which lets the code under test keep up from timer to timer, this is what a suspended
    /// machine or a stopped process sees.
    public func suspend(for duration: Duration) {
        let target = state.withLock { state in
            state.now = state.now.advanced(by: duration)
            return state.now
        }
        advance(to: target)
    }

    private func popDue(until target: ElectionInstant) -> TimerQueue.Action? {
        state.withLock { state in
            guard let deadline = state.timers.nextDeadline, deadline <= target else {
                state.now = max(state.now, target)
                return nil
            }
            state.now = max(state.now, deadline)
            state.forget(deadline)
            return state.timers.popDue(at: deadline)
        }
    }
}

// MARK: - Timers

extension ManualClock {
    /// Sets a timer that fires when the clock is moved to its deadline; one that is due already fires before this
    /// returns.
    public func schedule(
        at deadline: ElectionInstant,
        _ action: @escaping @Sendable () -> Void
    ) -> any ElectionTimer {
        let (id, satisfied): (UInt64?, [Waiter]) = state.withLock { state in
            state.timersSet += 1
            guard deadline > state.now else { return (nil, state.takeSatisfiedWaiters()) }
            let id = state.timers.add(at: deadline, action)
            state.pending[deadline, default: 0] += 1
            return (id, state.takeSatisfiedWaiters())
        }
        waitersMade.take()
        for waiter in satisfied { waiter.gate.open() }
        if id == nil { action() }
        return ManualTimer(clock: self, id: id, deadline: deadline)
    }

    fileprivate func cancel(_ id: UInt64, at deadline: ElectionInstant) {
        state.withLock { state in
            let count = state.timers.count
            state.timers.cancel(id)
            if state.timers.count < count { state.forget(deadline) }
        }
    }

    /// Suspends until the clock is moved to the deadline; returns at once if it stands there already.
    ///
    /// - Throws: `CancellationError` when the task is cancelled.
    public func sleep(until deadline: ElectionInstant, tolerance: Duration? = nil) async throws {
        try Task.checkCancellation()
        let gate = Gate()
        let timer = schedule(at: deadline) { gate.open() }
        defer { timer.cancel() }
        try await gate.wait()
    }
}

// MARK: - Waiting for the code under test

extension ManualClock {
    /// How many timers are set and have neither fired nor been cancelled.
    public var pendingTimers: Int { state.withLock { $0.timers.count } }

    /// How many timers were ever set: a mark for ``waitForTimer(after:)``.
    public var timersSet: Int { state.withLock { $0.timersSet } }

    /// The deadline of the earliest pending timer.
    public var nextDeadline: ElectionInstant? { state.withLock { $0.timers.nextDeadline } }

    /// Returns as soon as a timer is pending for exactly this deadline.
    ///
    /// - Throws: `CancellationError` when the task is cancelled.
    public func waitForTimer(at deadline: ElectionInstant) async throws {
        try await wait(for: .timer(deadline...deadline))
    }

    /// Returns as soon as a timer is pending for this deadline or an earlier one: ``advance(to:)`` there will fire it.
    ///
    /// - Throws: `CancellationError` when the task is cancelled.
    public func waitForTimer(by deadline: ElectionInstant) async throws {
        try await wait(for: .timer(.distantPast...deadline))
    }

    /// Returns as soon as a timer is pending somewhere in the range, for deadlines with jitter.
    ///
    /// - Throws: `CancellationError` when the task is cancelled.
    public func waitForTimer(in range: ClosedRange<ElectionInstant>) async throws {
        try await wait(for: .timer(range))
    }

    /// Returns as soon as this many timers are pending at once.
    ///
    /// - Throws: `CancellationError` when the task is cancelled.
    public func waitForTimers(_ count: Int) async throws {
        try await wait(for: .pending(count))
    }

    /// Returns as soon as a timer was set after the mark, which ``timersSet`` gave, was taken.
    ///
    /// Unlike a wait for "the next timer", this cannot miss one that is set before the wait begins.
    ///
    /// - Throws: `CancellationError` when the task is cancelled.
    public func waitForTimer(after mark: Int) async throws {
        try await wait(for: .set(mark))
    }

    private func wait(for condition: Condition) async throws {
        try Task.checkCancellation()
        let gate = Gate()
        waitersMade.give()
        let isSatisfied = state.withLock { state in
            if state.isSatisfied(condition) { return true }
            state.waiters.append(Waiter(condition: condition, gate: gate))
            return false
        }
        if isSatisfied { return }
        defer { state.withLock { $0.waiters.removeAll { $0.gate === gate } } }
        try await gate.wait()
    }
}

private struct ManualTimer: ElectionTimer {
    let clock: ManualClock
    /// Nil if the timer fired at once.
    let id: UInt64?
    let deadline: ElectionInstant

    func cancel() {
        if let id { clock.cancel(id, at: deadline) }
    }
}
