// SPDX-License-Identifier: MIT
#if Consul
import LeaderElection
import Testing

@testable import LeaderElectionConsul

@Suite struct ReadingBudgetTests {
    private let start = ElectionInstant(nanoseconds: 1_000_000_000_000)

    @Test func whatChangesNowAndThenIsReadAtOnce() {
        var budget = ReadingBudget()
        for second in 0..<60 {
            let now = start + .seconds(second)
            #expect(budget.spend(.milliseconds(50), at: now) == .zero)
            #expect(budget.spend(.milliseconds(50), at: now + .milliseconds(60)) == .zero)
        }
    }

    @Test(arguments: [1, 10, 100]) func whatChangesAllTheTimeTakesANinthOfIt(milliseconds: Int) {
        let cost = Duration.milliseconds(milliseconds)
        var budget = ReadingBudget()
        var (now, spent) = (start, Duration.zero)
        while now < start + .seconds(600) {
            now = now + cost
            spent += cost
            now = now + budget.spend(cost, at: now)
        }
        #expect((0.110...0.114).contains(spent / (now - start)))
    }

    @Test func noPauseIsLongAndNoneFollowsARest() {
        var budget = ReadingBudget()
        #expect(budget.spend(.seconds(30), at: start) == .seconds(1))
        #expect(budget.spend(.milliseconds(1), at: start + .milliseconds(1001)) == .milliseconds(8))
        #expect(budget.spend(.milliseconds(199), at: start + .seconds(10)) == .zero)
        #expect(budget.spend(.milliseconds(2), at: start + .seconds(10) + .milliseconds(2)) == .milliseconds(8))
    }
}
#endif
