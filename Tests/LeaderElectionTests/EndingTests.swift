// SPDX-License-Identifier: MIT

import LeaderElection
import Testing

@Suite struct EndingTests {
    @Test func stopRelinquishesBeforeItTellsTheStore() throws {
        var harness = try MachineHarness()
        let call = try harness.lead()
        _ = harness.drain()
        harness.stop()
        let names = harness.drain()
        let relinquish = try #require(names.firstIndex(of: "relinquish"))
        let release = try #require(names.firstIndex(of: "release"))
        #expect(relinquish < release)
        #expect(names.contains("lost stopped"))
        #expect(!names.contains("finish"))
        _ = call
    }

    @Test func stopFinishesWhenTheStoreHasConfirmed() throws {
        var harness = try MachineHarness()
        _ = try harness.lead()
        harness.stop()
        let release = try harness.takeRelease()
        _ = harness.drain()
        harness.answer(release, .released)
        #expect(harness.drain() == ["finish"])
        #expect(harness.machine.wakeup == nil)
    }

    @Test func stopDoesNotWaitForAStoreThatHangs() throws {
        var harness = try MachineHarness()
        _ = try harness.lead()
        harness.stop()
        _ = harness.drain()
        harness.run(harness.timing.attemptTimeout)
        #expect(harness.drain().contains("finish"))
        // The lease is still given back in the background, until it is over anyway.
        harness.run(.seconds(20))
        #expect(harness.drain().contains("release"))
        #expect(harness.machine.wakeup == nil)
    }

    @Test func leaseIsRenewedUntilWorkHasEnded() throws {
        var harness = try MachineHarness()
        _ = try harness.lead()
        harness.work(1)
        harness.stop()
        #expect(harness.drain().contains("cancel work"))
        harness.run(.milliseconds(3160))
        harness.answer(try harness.takeRenew(), .renewed(leaseDuration: .seconds(10)))
        let names = harness.drain()
        #expect(names.contains("extend") && !names.contains("release"))
        harness.work(-1)
        let after = harness.drain()
        #expect(after.contains("relinquish") && after.contains("release"))
    }

    @Test func workThatOverrunsKeepsOthersOffUntilTheLeaseIsOver() throws {
        var configuration = ElectionConfiguration(candidate: "me")
        configuration.shutdownTimeout = .seconds(2)
        var harness = try MachineHarness(configuration)
        _ = try harness.lead()
        harness.work(1)
        harness.stop()
        _ = harness.drain()
        harness.run(.seconds(2))
        let deadline = harness.now.advanced(by: .milliseconds(7480))
        #expect(harness.announcedErrors == [.workOverran])
        let names = harness.drain()
        #expect(names.contains("relinquish") && names.contains("finish") && !names.contains("release"))
        harness.run(harness.now.duration(to: deadline))
        #expect(harness.drain().contains("release"))
    }

    @Test func releaseWaitsForARenewalUnderWay() throws {
        var harness = try MachineHarness()
        _ = try harness.lead()
        harness.run(.milliseconds(3160))
        let renewal = try harness.takeRenew()
        harness.stop()
        #expect(!harness.drain().contains("release"))
        harness.answer(renewal, .renewed(leaseDuration: .seconds(10)))
        #expect(harness.drain() == ["release"])
    }

    @Test func stopDuringAnAcquisitionGivesTheGrantBackUnannounced() throws {
        var harness = try MachineHarness()
        harness.start()
        let call = try harness.takeAcquire()
        harness.stop()
        #expect(!harness.drain().contains("finish"))
        harness.answer(call, .granted(term: 10, leaseDuration: .seconds(10)))
        #expect(harness.drain() == ["release"])
    }

    @Test func stopAfterAnUnansweredAcquisitionGivesBackWhateverItMayHold() throws {
        var harness = try MachineHarness()
        harness.start()
        let call = try harness.takeAcquire()
        harness.answer(call, .unknown(anError))
        harness.stop()
        let release = try harness.takeRelease()
        #expect(release.nonce == call.nonce)
        #expect(release.term == nil)
    }

    @Test func stopOfAWaitingCandidateFinishesAtOnce() throws {
        var harness = try MachineHarness()
        harness.start()
        harness.answer(try harness.takeAcquire(), .held(record(term: 10)))
        _ = harness.drain()
        harness.stop()
        #expect(harness.drain() == ["finish"])
    }

    @Test func resignationStandsDownAndThenCampaignsAgain() throws {
        var harness = try MachineHarness()
        _ = try harness.lead()
        _ = harness.drain()
        harness.resign(.seconds(5))
        harness.answer(try harness.takeRelease(), .released)
        let names = harness.drain()
        #expect(names.contains("lost resigned") && names.contains("read") && !names.contains("acquire"))
        harness.run(.milliseconds(4999))
        #expect(!harness.drain().contains("acquire"))
        harness.run(.seconds(2))
        #expect(harness.drain().contains("acquire"))
    }

    @Test func grantThatComesWhileStandingDownIsGivenBack() throws {
        var harness = try MachineHarness()
        harness.start()
        let call = try harness.takeAcquire()
        harness.resign(.seconds(5))
        harness.answer(call, .granted(term: 10, leaseDuration: .seconds(10)))
        #expect(harness.machine.term == nil)
        #expect(try harness.takeRelease().term == 10)
    }

    @Test func unconfirmedReleaseIsRepeatedUntilTheLeaseIsOver() throws {
        var harness = try MachineHarness()
        _ = try harness.lead()
        harness.resign(.seconds(3600))
        _ = harness.drain()
        harness.run(.seconds(60))
        let releases = harness.drain().filter { $0 == "release" }.count
        #expect((4...20).contains(releases))
        #expect(harness.machine.hasGivenUp)
    }

    @Test func candidateDoesNotCampaignWhileWorkOfAnOlderTermRuns() throws {
        var harness = try MachineHarness()
        _ = try harness.lead()
        harness.work(1)
        harness.run(.milliseconds(9480))
        #expect(harness.announcedErrors.contains(.workOverran))
        #expect(!harness.drain().contains("acquire"))
        harness.run(.seconds(2))
        harness.work(-1)
        harness.run(.seconds(2))
        #expect(harness.drain().contains("acquire"))
    }

    @Test func candidateCampaignsAtOnceWhenWorkEndsDuringARead() throws {
        var harness = try MachineHarness()
        _ = try harness.lead()
        harness.work(1)
        harness.run(.milliseconds(9480))
        let read = try harness.takeRead()
        _ = harness.drain()
        harness.work(-1)
        harness.answer(read, .free(lastTerm: 10))
        #expect(harness.drain().contains("acquire"))
    }

    @Test func leaseThatTheStoreMayStillHoldIsKeptWhileWorkOfItsTermRuns() throws {
        var harness = try MachineHarness()
        _ = try harness.lead()
        harness.work(1)
        harness.stop()
        harness.run(.milliseconds(9480))
        let names = harness.drain()
        #expect(names.contains("lost expired") && !names.contains("release"))
        harness.work(-1)
        // Not before the last renewal was abandoned, which nobody answered.
        harness.run(harness.timing.attemptTimeout)
        #expect(harness.drain().contains("release"))
    }

    @Test func answerToTheLastRenewalDoesNotReleaseWhatWorkStillNeeds() throws {
        var harness = try MachineHarness()
        _ = try harness.lead()
        harness.work(1)
        harness.run(.milliseconds(9000))
        let renewals = harness.actions.filter { if case .renew = $0 { true } else { false } }
        #expect(!renewals.isEmpty)
        harness.run(.milliseconds(480))
        _ = harness.drain()
        for case .renew(let operation, let nonce, let term, let timeout) in renewals {
            let call = MachineHarness.RenewCall(operation: operation, nonce: nonce, term: term, timeout: timeout)
            harness.answer(call, .renewed(leaseDuration: .seconds(10)))
        }
        #expect(!harness.drain().contains("release"))
        harness.work(-1)
        #expect(harness.drain().contains("release"))
    }

    @Test func leaseOfWorkThatNeverEndsIsKeptForOneLeaseMore() throws {
        var harness = try MachineHarness()
        _ = try harness.lead()
        harness.work(1)
        harness.run(.milliseconds(9480))
        _ = harness.drain()
        // The renewals that nobody answered still count as under way for one attempt.
        harness.run(.milliseconds(9999))
        #expect(!harness.drain().contains("release"))
        harness.run(.seconds(2))
        #expect(harness.drain().contains("release"))
    }

    @Test func lossWhileStoppingFinishes() throws {
        var harness = try MachineHarness()
        _ = try harness.lead()
        harness.work(1)
        harness.stop()
        harness.run(.milliseconds(3160))
        harness.answer(try harness.takeRenew(), .lost(nil))
        #expect(harness.drain().contains("finish"))
    }

    @Test func stopBeforeStartFinishes() throws {
        var harness = try MachineHarness()
        harness.stop()
        #expect(harness.drain() == ["finish"])
        harness.start()
        #expect(harness.drain().isEmpty)
    }
}
