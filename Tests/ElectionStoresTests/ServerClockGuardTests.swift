// SPDX-License-Identifier: MIT

import ElectionStores
import LeaderElection
import Testing

@Suite struct ServerClockGuardTests {
    private let lease = Duration.seconds(10)
    private func at(_ milliseconds: Int64) -> ElectionInstant { ElectionInstant(nanoseconds: milliseconds * 1_000_000) }

    /// A server whose clock is a million seconds ahead of ours, plus `shift`.
    private func observe(
        _ clock: inout ServerClockGuard,
        sent: Int64,
        executed: Int64,
        received: Int64,
        shift: Int64 = 0
    ) -> Duration? {
        clock.observe(
            serverNanoseconds: (1_000_000_000 + executed + shift) * 1_000_000,
            sent: at(sent),
            received: at(received),
            longestLease: lease
        )
    }

    @Test func latencyAloneIsNeverAJump() {
        var clock = ServerClockGuard()
        for round in Int64(0)..<50 {
            let sent = round * 3_000
            // Carried out at once or at the very end of a slow round trip, in turn.
            let executed = round % 2 == 0 ? sent : sent + 1_500
            #expect(observe(&clock, sent: sent, executed: executed, received: sent + 1_500) == nil)
        }
        #expect(!clock.isSuspect(at: at(150_000)))
    }

    @Test func jumpForwardMakesTheClockSuspectForALease() {
        var clock = ServerClockGuard()
        #expect(observe(&clock, sent: 0, executed: 1, received: 2) == nil)
        let jump = observe(&clock, sent: 3_000, executed: 3_001, received: 3_002, shift: 3_600_000)
        #expect(jump.map { $0 > .seconds(3_590) && $0 <= .seconds(3_600) } == true)
        #expect(clock.isSuspect(at: at(3_002)))
        #expect(clock.isSuspect(at: at(13_002)))
        #expect(!clock.isSuspect(at: at(14_200)))
        #expect(clock.latestCredibleServerTime(at: at(4_000), lease: lease) == 0)
        // The new clock is the one to compare with.
        #expect(observe(&clock, sent: 6_000, executed: 6_001, received: 6_002, shift: 3_600_000) == nil)
    }

    @Test func anotherServerMayHaveAnotherClockButTheSameOneMayNot() {
        var clock = ServerClockGuard()
        clock.connected(to: "first")
        #expect(observe(&clock, sent: 0, executed: 1, received: 2) == nil)
        // Connected again, to the same one or to one that does not say: a jump meanwhile is a jump.
        clock.connected(to: "first")
        clock.connected(to: nil)
        #expect(observe(&clock, sent: 100, executed: 101, received: 102, shift: 5_000) != nil)
        var other = ServerClockGuard()
        other.connected(to: "first")
        #expect(observe(&other, sent: 0, executed: 1, received: 2) == nil)
        other.connected(to: "second")
        #expect(other.latestCredibleServerTime(at: at(50), lease: lease) == nil)
        #expect(observe(&other, sent: 100, executed: 101, received: 102, shift: 3_600_000) == nil)
        #expect(!other.isSuspect(at: at(103)))
        #expect(observe(&other, sent: 200, executed: 201, received: 202, shift: 7_200_000) != nil)
    }

    @Test func jumpBackwardAndSmallCorrectionsAreNoDanger() {
        var clock = ServerClockGuard()
        #expect(observe(&clock, sent: 0, executed: 1, received: 2) == nil)
        #expect(observe(&clock, sent: 3_000, executed: 3_001, received: 3_002, shift: -3_600_000) == nil)
        #expect(observe(&clock, sent: 6_000, executed: 6_001, received: 6_002, shift: -3_599_600) == nil)
        #expect(!clock.isSuspect(at: at(6_002)))
    }

    @Test func serverRefusesToTrustAClockThatJumpedAfterTheLastSample() throws {
        var clock = ServerClockGuard()
        #expect(clock.latestCredibleServerTime(at: at(0), lease: lease) == nil)
        #expect(observe(&clock, sent: 0, executed: 1, received: 2) == nil)
        let limit = try #require(clock.latestCredibleServerTime(at: at(3_000), lease: lease))
        let honest: Int64 = (1_000_000_000 + 3_001) * 1_000_000
        #expect(limit > honest)
        #expect(limit < honest + 600 * 1_000_000)
    }

    @Test func anotherServerHasAnotherClock() {
        var clock = ServerClockGuard()
        #expect(observe(&clock, sent: 0, executed: 1, received: 2) == nil)
        clock.serverChanged()
        #expect(observe(&clock, sent: 3_000, executed: 3_001, received: 3_002, shift: 3_600_000) == nil)
    }
}
