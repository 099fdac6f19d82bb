// SPDX-License-Identifier: MIT

import LeaderElection
import Testing

/// Found by simulation: a wake-up that stays in the past has the owner's timer fire for ever.
@Suite struct StoppingWakeupTests {
    private struct Unreachable: Error {}

    @Test func aStopWhoseAcquisitionFailedWaitsForItsReleaseWithoutWakingUp() throws {
        var harness = try MachineHarness()
        harness.start()
        let call = try harness.takeAcquire()
        harness.stop()
        harness.answer(call, .unknown(Unreachable()))
        _ = try harness.takeRelease()
        // Within the time that the attempt would have been repeated.
        for _ in 0..<100 {
            guard let wakeup = harness.machine.wakeup, wakeup < harness.now.advanced(by: .seconds(1)) else { break }
            harness.pass(max(.zero, harness.now.duration(to: wakeup)))
            harness.fire()
        }
        let wakeup = try #require(harness.machine.wakeup)
        #expect(wakeup > harness.now)
    }

    @Test func aTermThatRunsOutDuringAStopDoesNotWakeUpForAnAttempt() throws {
        var configuration = ElectionConfiguration(candidate: "me")
        configuration.shutdownTimeout = .seconds(60)
        var harness = try MachineHarness(configuration)
        _ = try harness.lead()
        harness.work(1)
        harness.stop()
        while harness.machine.term != nil {
            let wakeup = try #require(harness.machine.wakeup)
            harness.pass(max(.zero, harness.now.duration(to: wakeup)))
            harness.fire()
        }
        let wakeup = try #require(harness.machine.wakeup)
        #expect(wakeup > harness.now)
    }
}
