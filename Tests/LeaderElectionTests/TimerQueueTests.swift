// SPDX-License-Identifier: MIT

import LeaderElection
import LeaderElectionTesting
import Synchronization
import Testing

@Suite struct TimerQueueTests {
    private final class Log: Sendable {
        let fired = Mutex<[Int]>([])
        func action(_ number: Int) -> TimerQueue.Action { { self.fired.withLock { $0.append(number) } } }
    }

    private func at(_ nanoseconds: Int64) -> ElectionInstant { ElectionInstant(nanoseconds: nanoseconds) }

    private func drain(_ queue: inout TimerQueue, until instant: ElectionInstant) {
        while let action = queue.popDue(at: instant) { action() }
    }

    @Test func timersFireInOrderOfDeadlineAndThenOfSetting() {
        let log = Log()
        var queue = TimerQueue()
        for (number, deadline) in [5, 3, 9, 3, 1].enumerated() {
            _ = queue.add(at: at(Int64(deadline)), log.action(number))
        }
        drain(&queue, until: at(5))
        #expect(log.fired.withLock { $0 } == [4, 1, 3, 0])
        #expect(queue.nextDeadline == at(9))
    }

    @Test func cancelledTimerNeverFires() {
        let log = Log()
        var queue = TimerQueue()
        let first = queue.add(at: at(1), log.action(1))
        _ = queue.add(at: at(2), log.action(2))
        queue.cancel(first)
        queue.cancel(first)
        #expect(queue.nextDeadline == at(2))
        drain(&queue, until: at(10))
        #expect(log.fired.withLock { $0 } == [2])
    }

    @Test func manyTimersSetAndCancelledAtRandomFireExactlyAsAList() {
        var random = SeededGenerator(seed: 7)
        let log = Log()
        var queue = TimerQueue()
        var expected: [(deadline: Int64, id: UInt64, number: Int)] = []
        for number in 0..<5_000 {
            let deadline = Int64.random(in: 0..<1_000, using: &random)
            let id = queue.add(at: at(deadline), log.action(number))
            expected.append((deadline, id, number))
            if Bool.random(using: &random) {
                let victim = expected.remove(at: Int.random(in: expected.indices, using: &random))
                queue.cancel(victim.id)
            }
        }
        #expect(queue.count == expected.count)
        drain(&queue, until: at(1_000))
        expected.sort { ($0.deadline, $0.id) < ($1.deadline, $1.id) }
        #expect(log.fired.withLock { $0 } == expected.map(\.number))
        #expect(queue.count == 0)
    }
}
