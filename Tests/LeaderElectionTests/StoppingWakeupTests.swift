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

/// Found by simulation: a store whose terms went back had all candidates wake each other as fast as it answered.
@Suite struct TermRegressionTests {
    @Test func aHintDoesNotCutShortTheWaitAfterARefusedTerm() throws {
        var harness = try MachineHarness()
        _ = try harness.lead(term: 10)
        let renewal = harness.machine.deadline
        harness.pass(harness.now.duration(to: renewal))
        harness.fire()
        let again = try harness.takeAcquire()
        harness.answer(again, .granted(term: 9, leaseDuration: harness.timing.leaseDuration))
        #expect(harness.announcedErrors.contains(.termRegression))
        let release = try harness.takeRelease()
        harness.answer(release, .released)
        _ = harness.drain()
        harness.hint()
        #expect(!harness.drain().contains("acquire"))
        harness.run(.seconds(1))
        #expect(!harness.drain().contains("acquire"))
    }
}
