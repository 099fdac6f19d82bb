// SPDX-License-Identifier: MIT

import LeaderElection
import Testing

/// Timers that are set from another thread, mostly while theirs sleeps.
@Suite struct ThreadTimerTests {
    private func fires(on thread: SerialThread, after delay: Duration) async {
        await withCheckedContinuation { continuation in
            _ = thread.schedule(at: .now + delay) { continuation.resume() }
        }
    }

    @Test(.timeLimit(.minutes(1))) func anEarlierTimerEndsALongSleep() async {
        let thread = SerialThread(name: "timer-test")
        let late = thread.schedule(at: .now + .seconds(3600)) { Issue.record("an hour has not passed") }
        for _ in 0..<50 { await fires(on: thread, after: .milliseconds(1)) }
        late.cancel()
        await fires(on: thread, after: .milliseconds(1))
    }

    @Test(.timeLimit(.minutes(1))) func aCancelledTimerDoesNotKeepALaterOneFromFiring() async {
        let thread = SerialThread(name: "timer-test")
        for _ in 0..<50 {
            // On a busy machine it may fire before it is cancelled; what counts is the one after it.
            let cancelled = thread.schedule(at: .now + .milliseconds(2)) {}
            cancelled.cancel()
            await fires(on: thread, after: .milliseconds(3))
        }
    }

    @Test(.timeLimit(.minutes(1))) func timersFireInTheirOrderWhateverTheOrderOfSetting() async {
        let thread = SerialThread(name: "timer-test")
        let start = ElectionInstant.now + .milliseconds(20)
        let order = AsyncStream.makeStream(of: Int.self)
        for number in [3, 1, 4, 0, 2] {
            _ = thread.schedule(at: start + .milliseconds(number)) {
                order.continuation.yield(number)
                if number == 4 { order.continuation.finish() }
            }
        }
        var fired: [Int] = []
        for await number in order.stream { fired.append(number) }
        #expect(fired == [0, 1, 2, 3, 4])
    }
}
