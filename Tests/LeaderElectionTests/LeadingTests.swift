// SPDX-License-Identifier: MIT

import LeaderElection
import Testing

@Suite struct LeadingTests {
    @Test func deadlineCountsFromBeforeTheRequest() throws {
        var harness = try MachineHarness()
        harness.start()
        let sent = harness.now
        let call = try harness.takeAcquire()
        harness.pass(.milliseconds(700))
        harness.answer(call, .granted(term: 10, leaseDuration: .seconds(10)))
        // T = 10 s, ρ = 0.001, m = 500 ms: V = 10 · 0.998 − 0.5 = 9.48 s.
        #expect(harness.machine.deadline == sent.advanced(by: .milliseconds(9480)))
    }

    @Test func renewalCountsFromBeforeItsRequest() throws {
        var harness = try MachineHarness()
        _ = try harness.lead()
        harness.run(.milliseconds(3160))
        let sent = harness.now
        let call = try harness.takeRenew()
        harness.pass(.seconds(1))
        harness.answer(call, .renewed(leaseDuration: .seconds(10)))
        #expect(harness.machine.deadline == sent.advanced(by: .milliseconds(9480)))
    }

    @Test func storesLeaseRatherThanOursDecides() throws {
        var harness = try MachineHarness()
        harness.start()
        let call = try harness.takeAcquire()
        harness.answer(call, .granted(term: 10, leaseDuration: .seconds(4)))
        #expect(harness.machine.deadline == harness.now.advanced(by: .milliseconds(3792)))
    }

    @Test func grantThatArrivesAfterItsOwnDeadlineIsGivenBack() throws {
        var harness = try MachineHarness()
        harness.start()
        let call = try harness.takeAcquire()
        harness.pass(.milliseconds(9480))
        harness.answer(call, .granted(term: 10, leaseDuration: .seconds(10)))
        #expect(harness.machine.term == nil)
        #expect(try harness.takeRelease().term == 10)
        #expect(!harness.drain().contains("acquired"))
    }

    @Test func failedRenewalNeitherExtendsNorEndsTheTerm() throws {
        var harness = try MachineHarness()
        _ = try harness.lead()
        let deadline = harness.machine.deadline
        harness.run(.milliseconds(3160))
        harness.answer(try harness.takeRenew(), .unknown(anError))
        #expect(harness.machine.deadline == deadline)
        #expect(harness.machine.term == 10)
        let names = harness.drain()
        #expect(names.contains("renewal failed") && names.contains("jeopardy"))
    }

    @Test func leaderTriesAtLeastThreeMoreTimesBeforeItsDeadline() throws {
        var harness = try MachineHarness()
        _ = try harness.lead()
        harness.run(.seconds(12))
        // Nothing is ever answered: each attempt times out after T/6.
        let renewals = harness.drain().filter { $0 == "renew" }.count
        #expect(renewals >= 3)
        #expect(harness.machine.term == nil)
    }

    @Test func recoveryIsToldOnceAfterJeopardy() throws {
        var harness = try MachineHarness()
        _ = try harness.lead()
        harness.run(.milliseconds(3160))
        harness.answer(try harness.takeRenew(), .unknown(anError))
        harness.run(.milliseconds(100))
        harness.answer(try harness.takeRenew(), .renewed(leaseDuration: .seconds(10)))
        #expect(harness.drain().filter { $0 == "recovered" }.count == 1)
        harness.run(.milliseconds(3160))
        harness.answer(try harness.takeRenew(), .renewed(leaseDuration: .seconds(10)))
        #expect(!harness.drain().contains("recovered"))
    }

    @Test func termEndsAtItsDeadlineAndNeverComesBack() throws {
        var harness = try MachineHarness()
        _ = try harness.lead()
        harness.run(.milliseconds(9000))
        let late = try harness.takeRenew()
        harness.run(.milliseconds(480))
        let names = harness.drain()
        #expect(names.contains("relinquish") && names.contains("lost expired"))
        harness.answer(late, .renewed(leaseDuration: .seconds(10)))
        #expect(harness.machine.term == nil)
        #expect(!harness.drain().contains("extend"))
    }

    @Test func acknowledgementProcessedAfterTheDeadlineIsALoss() throws {
        var harness = try MachineHarness()
        _ = try harness.lead()
        harness.run(.milliseconds(9479))
        // The last attempt is still under way when the process is paused past its deadline.
        harness.actions.removeAll {
            if case .renew(let operation, _, _, _) = $0 {
                operation.sent.now < harness.now - .seconds(1)
            } else {
                false
            }
        }
        if let call = try? harness.takeRenew() {
            harness.pass(.seconds(30))
            harness.answer(call, .renewed(leaseDuration: .seconds(10)))
        } else {
            harness.pass(.seconds(30))
            harness.fire()
        }
        #expect(harness.machine.term == nil)
        #expect(harness.drain().contains("lost expired"))
    }

    @Test func answerToAnAbandonedRenewalChangesNothing() throws {
        var harness = try MachineHarness()
        _ = try harness.lead()
        harness.run(.milliseconds(3160))
        let abandoned = try harness.takeRenew()
        harness.run(.milliseconds(1667))
        let deadline = harness.machine.deadline
        harness.answer(abandoned, .renewed(leaseDuration: .seconds(10)))
        #expect(harness.machine.deadline == deadline)
        harness.answer(abandoned, .lost(nil))
        #expect(harness.machine.term == 10)
    }

    @Test func lossToldByTheStoreEndsTheTermAtOnce() throws {
        var harness = try MachineHarness()
        _ = try harness.lead()
        harness.run(.milliseconds(3160))
        harness.answer(try harness.takeRenew(), .lost(record(term: 11)))
        let names = harness.drain()
        let relinquish = try #require(names.firstIndex(of: "relinquish"))
        let lost = try #require(names.firstIndex(of: "lost superseded"))
        #expect(relinquish < lost)
        #expect(!names.contains("release"))
    }

    @Test func afterExpiryOurOwnStaleLeaseIsReplacedUnderANewNonce() throws {
        var harness = try MachineHarness()
        let first = try harness.lead()
        harness.run(.milliseconds(9480))
        let next = try harness.takeAcquire()
        #expect(next.previous == first.nonce)
        #expect(next.nonce != first.nonce)
        harness.answer(next, .granted(term: 11, leaseDuration: .seconds(10)))
        #expect(harness.machine.term == 11)
    }

    @Test(arguments: [Int64(9), 10]) func termThatDoesNotGrowIsRefused(_ term: Int64) throws {
        var harness = try MachineHarness()
        harness.start()
        harness.answer(try harness.takeAcquire(), .held(record(term: 10, remaining: .seconds(1))))
        harness.run(.seconds(2))
        harness.answer(try harness.takeAcquire(), .granted(term: term, leaseDuration: .seconds(10)))
        #expect(harness.machine.term == nil)
        #expect(harness.announcedErrors == [.termRegression])
        #expect(try harness.takeRelease().term == term)
    }

    @Test func hintWhileLeadingCausesAnEarlyRenewalButNoStorm() throws {
        var harness = try MachineHarness()
        _ = try harness.lead()
        _ = harness.drain()
        for _ in 0..<100 { harness.hint() }
        harness.run(.milliseconds(60))
        harness.answer(try harness.takeRenew(), .renewed(leaseDuration: .seconds(10)))
        for _ in 0..<100 { harness.hint() }
        harness.run(.milliseconds(39))
        #expect(!harness.drain().contains("renew"))
    }

    @Test func gracePeriodEndsWorkBeforeTheDeadline() throws {
        var configuration = ElectionConfiguration(candidate: "me")
        configuration.gracePeriod = .seconds(2)
        var harness = try MachineHarness(configuration)
        _ = try harness.lead()
        harness.work(1)
        harness.run(.milliseconds(7479))
        #expect(!harness.drain().contains("cancel work"))
        harness.run(.milliseconds(1))
        let names = harness.drain()
        #expect(names.contains("cancel work") && !names.contains("relinquish"))
        harness.work(-1)
        #expect(harness.drain().contains("lost expired"))
    }
}
