// SPDX-License-Identifier: MIT

import Testing

@testable import elect

@Suite struct GuardianPlanTests {
    private static let budgets = GuardianPlan.Budgets(term: 200, kill: 50, shutdown: 1000)
    private var plan = GuardianPlan(deadline: 1000, budgets: budgets)

    @Test func nothingHappensWhileTheDeadlineIsFar() {
        var plan = plan
        #expect(plan.due(at: 799) == [])
        #expect(plan.nextWake(after: 0) == 800)
        #expect(plan.cause == .itself)
    }

    @Test func aSilentElectCostsTheCommandTermThenKill() {
        var plan = plan
        #expect(plan.due(at: 800) == [.terminate])
        #expect(plan.cause == .deadline)
        #expect(plan.nextWake(after: 800) == 950)
        #expect(plan.due(at: 949) == [])
        #expect(plan.due(at: 950) == [.kill])
        #expect(plan.isKilling)
    }

    @Test func aGuardianThatWakesUpTooLateKillsAtOnce() {
        var plan = plan
        #expect(plan.due(at: 5000) == [.terminate, .kill])
    }

    @Test func eachRenewalMovesBothInstants() {
        var plan = plan
        plan.extend(to: 3000, at: 100)
        #expect(plan.due(at: 2799) == [])
        #expect(plan.due(at: 2800) == [.terminate])
        #expect(plan.due(at: 2950) == [.kill])
    }

    @Test func theDeadlineNeverMovesBackwards() {
        var plan = plan
        plan.extend(to: 500, at: 100)
        #expect(plan.deadline == 1000)
    }

    @Test func aRenewalThatIsHeardOfAfterTheDeadlineDoesNotReviveIt() {
        var plan = plan
        plan.extend(to: 3000, at: 1000)
        #expect(plan.deadline == 1000)
        #expect(plan.due(at: 1000) == [.terminate, .kill])
    }

    @Test func aStopEndsGracefullyAndIsBoundByTheDeadline() {
        var plan = plan
        #expect(plan.stop(at: 100) == [.terminate])
        #expect(plan.cause == .stop)
        #expect(plan.due(at: 949) == [])
        #expect(plan.due(at: 950) == [.kill])
    }

    @Test func aRenewalProlongsAStopOnlyUpToTheShutdownTimeout() {
        var plan = plan
        _ = plan.stop(at: 100)
        plan.extend(to: 100_000, at: 900)
        #expect(plan.nextWake(after: 950) == 1100)
        #expect(plan.due(at: 1099) == [])
        #expect(plan.due(at: 1100) == [.kill])
    }

    @Test func termIsSentOnce() {
        var plan = plan
        #expect(plan.stop(at: 100) == [.terminate])
        #expect(plan.stop(at: 110) == [])
        #expect(plan.due(at: 800) == [])
        #expect(plan.commandEnded(at: 810) == [])
        #expect(plan.cause == .stop)
    }

    @Test func aStopShortlyBeforeTheDeadlineKillsAtOnce() {
        var plan = plan
        #expect(plan.stop(at: 960) == [.terminate, .kill])
    }

    @Test(arguments: [0, 100, 940])
    func aDeadElectKillsEverythingAtOnce(now: Int64) {
        var plan = plan
        _ = plan.due(at: now)
        #expect(plan.orphaned() == [.kill])
        #expect(plan.isKilling)
        #expect(plan.due(at: now) == [.kill])
        #expect(plan.nextWake(after: now) > now)
    }

    @Test func whateverStartedTheEndIsItsCause() {
        var plan = plan
        _ = plan.stop(at: 100)
        #expect(plan.killNow() == [.kill])
        #expect(plan.cause == .stop)
        var other = self.plan
        _ = other.orphaned()
        #expect(other.cause == .orphaned)
    }

    @Test func whatACommandLeavesBehindIsToldAndThenKilled() {
        var plan = GuardianPlan(
            deadline: 100_000_000_000,
            budgets: .init(term: 1, kill: 1, shutdown: 60_000_000_000)
        )
        #expect(plan.commandEnded(at: 5) == [.terminate])
        #expect(plan.cause == .itself)
        #expect(plan.nextWake(after: 5) == 1_000_000_005)
        #expect(plan.due(at: 1_000_000_005) == [.kill])
    }

    @Test func aRenewalDoesNotStopTheKilling() {
        var plan = plan
        _ = plan.due(at: 960)
        plan.extend(to: 100_000, at: 965)
        #expect(plan.isKilling)
        #expect(plan.due(at: 970) == [.kill])
    }

    @Test func nothingIsStartedWithoutTimeToEndIt() {
        #expect(plan.mayStart(at: 799))
        #expect(!plan.mayStart(at: 800))
    }

    @Test(arguments: [1, 3, 10, 30])
    func theUsualBudgetsLeaveRoomForRenewals(seconds: Int64) {
        let lease = seconds * 1_000_000_000
        let budgets = GuardianPlan.Budgets(leaseDuration: lease, gracePeriod: nil, shutdownTimeout: lease)
        #expect(budgets.kill >= 50_000_000)
        #expect(budgets.term >= 2 * budgets.kill)
        // A renewal is sent every third of the lease; two attempts of a sixth must fit in before anything ends.
        let validity = lease - max(100_000_000, lease / 20) - lease / 500
        #expect(validity - budgets.term > lease / 3 + lease / 6)
    }

    @Test func aGracePeriodIsUsedAsItIsUnlessItIsTooShort() {
        let lease: Int64 = 10_000_000_000
        let long = GuardianPlan.Budgets(leaseDuration: lease, gracePeriod: 4_000_000_000, shutdownTimeout: lease)
        #expect(long.term == 4_000_000_000)
        let short = GuardianPlan.Budgets(leaseDuration: lease, gracePeriod: 1, shutdownTimeout: lease)
        #expect(short.term == 2 * short.kill)
    }
}
