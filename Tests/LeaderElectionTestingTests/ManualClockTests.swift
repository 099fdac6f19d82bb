// SPDX-License-Identifier: MIT

import LeaderElection
import LeaderElectionTesting
import Synchronization
import Testing

@Suite("Manual clock", .timeLimit(.minutes(2)))
struct ManualClockTests {
    private let clock = ManualClock()
    private let start: ElectionInstant

    init() { start = clock.now }

    /// What fired, and when it was by the clock.
    private final class Firings: Sendable {
        let all = Mutex<[(name: String, instant: ElectionInstant)]>([])

        func note(_ name: String, _ clock: ManualClock) { all.withLock { $0.append((name, clock.now)) } }
        var names: [String] { all.withLock { $0.map(\.name) } }
        var instants: [ElectionInstant] { all.withLock { $0.map(\.instant) } }
    }

    private func after(_ seconds: Int) -> ElectionInstant { start.advanced(by: .seconds(seconds)) }

    @Test("time moves only by being moved, and never back")
    func time() {
        let wall = clock.wallNanoseconds
        #expect(clock.now == start)
        clock.advance(by: .seconds(3))
        #expect(clock.now == after(3))
        #expect(clock.wallNanoseconds == wall + 3_000_000_000)
        clock.advance(to: start)
        #expect(clock.now == after(3))
    }

    @Test("the wall clock can be stepped both ways while the clock stands still")
    func wallSteps() {
        let wall = clock.wallNanoseconds
        clock.stepWall(by: .seconds(3_600))
        #expect(clock.wallNanoseconds == wall + 3_600_000_000_000)
        clock.stepWall(by: .seconds(-7_200))
        #expect(clock.wallNanoseconds == wall - 3_600_000_000_000)
        #expect(clock.now == start)
    }

    @Test("timers fire in the order of their deadlines, each at its own")
    func order() {
        let firings = Firings()
        for (name, seconds) in [("c", 3), ("a", 1), ("b", 2), ("late", 9), ("c2", 3)] {
            _ = clock.schedule(at: after(seconds)) { [clock] in firings.note(name, clock) }
        }
        clock.advance(to: after(5))
        #expect(firings.names == ["a", "b", "c", "c2"])
        #expect(firings.instants == [after(1), after(2), after(3), after(3)])
        #expect(clock.now == after(5))
        #expect(clock.pendingTimers == 1)
        #expect(clock.nextDeadline == after(9))
    }

    @Test("a timer set by a timer fires in the same advance if it falls due")
    func cascade() {
        let firings = Firings()
        _ = clock.schedule(at: after(1)) { [clock, start] in
            firings.note("first", clock)
            _ = clock.schedule(at: start.advanced(by: .seconds(2))) { firings.note("second", clock) }
        }
        clock.advance(by: .seconds(2))
        #expect(firings.names == ["first", "second"])
        #expect(firings.instants == [after(1), after(2)])
    }

    @Test("a cancelled timer does not fire, and is not waited for")
    func cancel() async throws {
        let firings = Firings()
        let timer = clock.schedule(at: after(1)) { [clock] in firings.note("cancelled", clock) }
        _ = clock.schedule(at: after(1)) { [clock] in firings.note("kept", clock) }
        timer.cancel()
        timer.cancel()
        try await clock.waitForTimer(at: after(1))
        #expect(clock.pendingTimers == 1)
        clock.advance(by: .seconds(1))
        timer.cancel()
        #expect(firings.names == ["kept"])
        #expect(clock.pendingTimers == 0)
    }

    @Test("a timer whose deadline has passed fires at once")
    func overdue() {
        let firings = Firings()
        _ = clock.schedule(at: start) { [clock] in firings.note("now", clock) }
        #expect(firings.names == ["now"])
        #expect(clock.timersSet == 1)
        #expect(clock.pendingTimers == 0)
    }

    @Test("a wait for a timer ends when the code under test has set it")
    func waitForTimer() async throws {
        let clock = clock
        let deadline = after(5)
        async let slept: Void = clock.sleep(until: deadline)
        try await clock.waitForTimer(at: deadline)
        try await clock.waitForTimer(by: deadline)
        try await clock.waitForTimer(in: start...deadline)
        try await clock.waitForTimers(1)
        clock.advance(to: deadline)
        try await slept
    }

    @Test("a mark taken before does not miss a timer that is set before the wait begins")
    func waitAfterMark() async throws {
        let mark = clock.timersSet
        _ = clock.schedule(at: after(1)) {}
        clock.advance(by: .seconds(1))
        try await clock.waitForTimer(after: mark)
        let clock = clock
        let next = clock.timersSet
        async let waited: Void = clock.waitForTimer(after: next)
        _ = clock.schedule(at: after(2)) {}
        try await waited
    }

    @Test("a wait for several timers ends with the last of them")
    func waitForSeveral() async throws {
        let clock = clock
        try await withThrowingTaskGroup(of: Void.self) { tasks in
            for second in 1...20 {
                let deadline = after(second)
                tasks.addTask { try await clock.sleep(until: deadline) }
            }
            try await clock.waitForTimers(20)
            #expect(clock.pendingTimers == 20)
            clock.advance(by: .seconds(20))
            try await tasks.waitForAll()
        }
        #expect(clock.pendingTimers == 0)
    }

    @Test("a sleep until an instant that has passed returns at once")
    func sleepInThePast() async throws {
        try await clock.sleep(until: start)
        try await clock.sleep(until: start.advanced(by: .seconds(-1)))
    }

    @Test("cancellation ends a sleep and takes its timer back")
    func cancelledSleep() async throws {
        let clock = clock
        let deadline = after(5)
        await #expect(throws: CancellationError.self) {
            try await withThrowingTaskGroup(of: Void.self) { tasks in
                tasks.addTask { try await clock.sleep(until: deadline) }
                try await clock.waitForTimer(at: deadline)
                tasks.cancelAll()
                try await tasks.waitForAll()
            }
        }
        #expect(clock.pendingTimers == 0)
    }

    @Test("cancellation ends a wait for a timer that nobody sets")
    func cancelledWait() async throws {
        let clock = clock
        let deadline = after(5)
        await #expect(throws: CancellationError.self) {
            try await withThrowingTaskGroup(of: Void.self) { tasks in
                tasks.addTask { try await clock.waitForTimer(at: deadline) }
                tasks.cancelAll()
                try await tasks.waitForAll()
            }
        }
    }

    @Test("generic code can sleep on it as on any clock")
    func anyClock() async throws {
        func nap(on clock: any Clock<Duration>) async throws { try await clock.sleep(for: .seconds(2)) }
        let clock = clock
        async let napped: Void = nap(on: clock)
        try await clock.waitForTimer(at: after(2))
        clock.advance(by: .seconds(2))
        try await napped
    }
}
