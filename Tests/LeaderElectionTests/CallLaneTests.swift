// SPDX-License-Identifier: MIT

import LeaderElectionTesting
import Testing

@testable import LeaderElection

/// Calls that do not come back, and what becomes of those that wait for them.
@Suite(.timeLimit(.minutes(2))) struct CallLaneTests {
    private let clock = ManualClock()
    private let executor = SerialThread(name: "lane")

    /// Counts the calls that began; none of them ends before it is cancelled.
    private func lane(_ began: AsyncStream<[Int]>.Continuation) -> CallLane<Int, Result<Int, any Error>> {
        CallLane(executor: executor, clock: clock, maximumBatch: 8, unknown: { .failure($0) }) { requests in
            began.yield(requests)
            for await _ in AsyncStream<Never>.makeStream().stream {}
            throw CancellationError()
        }
    }

    /// A call that was given up says so, whoever of those who wait for it hears of it first.
    @Test func abandonedCallsFailAsTimedOut() async throws {
        let (calls, began) = AsyncStream.makeStream(of: [Int].self)
        let (answers, answered) = AsyncStream.makeStream(of: Result<Int, any Error>.self)
        let lane = lane(began)
        await lane.submit(1, timeout: .seconds(2)) { answered.yield($0) }
        var callsBegan = calls.makeAsyncIterator()
        #expect(await callsBegan.next() == [1])
        try await clock.waitForTimer(by: clock.now + .seconds(2))
        clock.advance(by: .seconds(2))
        var answersGiven = answers.makeAsyncIterator()
        let answer = try #require(await answersGiven.next())
        let error = #expect(throws: ElectionError.self) { try answer.get() }
        #expect(error?.code == .timedOut)
        #expect(error?.message.contains("2 s") == true)
    }

    /// Whoever has little time is not held up by a call that it shared with somebody who has much.
    @Test func callsAreAbandonedWithTheShortestOfTheirTimeouts() async throws {
        let (calls, began) = AsyncStream.makeStream(of: [Int].self)
        let lane = lane(began)
        executor.execute {
            lane.assumeIsolated { lane in
                lane.submit(1, timeout: .seconds(1)) { _ in }
                lane.submit(2, timeout: .seconds(60)) { _ in }
            }
        }
        var callsBegan = calls.makeAsyncIterator()
        #expect(await callsBegan.next() == [1, 2])
        try await clock.waitForTimer(by: clock.now + .seconds(1))
        await lane.submit(3, timeout: .seconds(5)) { _ in }
        clock.advance(by: .seconds(1))
        #expect(await callsBegan.next() == [3])
    }
}
