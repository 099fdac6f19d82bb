// SPDX-License-Identifier: MIT

import LeaderElection
import Testing

@Suite struct FollowingTests {
    @Test func followerAsksAgainWhenTheHoldersTimeIsUp() throws {
        var harness = try MachineHarness()
        harness.start()
        harness.answer(try harness.takeAcquire(), .held(record(term: 10, remaining: .seconds(4))))
        _ = harness.drain()
        harness.run(.milliseconds(3999))
        #expect(harness.drain().isEmpty)
        harness.run(.milliseconds(20))
        #expect(harness.drain() == ["acquire"])
    }

    @Test func followerOfALeaseWithoutEndPollsRarely() throws {
        var harness = try MachineHarness()
        harness.start()
        harness.answer(try harness.takeAcquire(), .held(record(term: 10, remaining: nil)))
        _ = harness.drain()
        harness.run(.seconds(23))
        #expect(harness.drain().isEmpty)
        harness.run(.seconds(14))
        #expect(harness.drain().first == "acquire")
    }

    /// What a store holds may be anything: whoever only reads it must not fall over it.
    @Test(arguments: [Duration.nanoseconds(Int64.max), .nanoseconds(9_000_000_000_000_000_000), .seconds(Int64.max)])
    func aLeaseOfCenturiesIsWaitedFor(lease: Duration) throws {
        for (remaining, isObserverTimed) in [(lease, false), (nil, false), (nil, true)] {
            var harness = try MachineHarness()
            harness.start()
            let held = record(
                term: .max,
                lease: lease,
                sequence: .max,
                remaining: remaining,
                isObserverTimed: isObserverTimed
            )
            for _ in 0..<3 {
                harness.answer(try harness.takeAcquire(), .held(held))
                #expect(harness.machine.leader?.id == held.holder.id)
                harness.hint()
            }
        }
    }

    @Test func hintIsAskedAtOnce() throws {
        var harness = try MachineHarness()
        harness.start()
        harness.answer(try harness.takeAcquire(), .held(record(term: 10)))
        _ = harness.drain()
        harness.hint()
        #expect(harness.drain() == ["acquire"])
    }

    @Test func hintDuringACallIsAskedAgainAfterIt() throws {
        var harness = try MachineHarness()
        harness.start()
        let call = try harness.takeAcquire()
        harness.hint()
        harness.answer(call, .held(record(term: 10)))
        #expect(harness.drain().filter { $0 == "acquire" }.count == 1)
    }

    @Test func hintThatMayPrecedeTheReleaseIsAskedAgainAtGrowingIntervals() throws {
        var harness = try MachineHarness(hintsPrecedeRelease: true)
        harness.start()
        harness.answer(try harness.takeAcquire(), .held(record(term: 10, remaining: nil)))
        _ = harness.drain()
        harness.hint()
        var delays: [Duration] = []
        for _ in 0..<8 {
            harness.answer(try harness.takeAcquire(), .held(record(term: 10, remaining: nil)))
            let wakeup = try #require(harness.machine.wakeup)
            delays.append(harness.now.duration(to: wakeup))
            harness.run(delays.last ?? .zero)
        }
        #expect(Array(delays.prefix(7)) == [1, 2, 4, 8, 16, 32, 64].map { Duration.milliseconds($0) })
        #expect(try #require(delays.last) > .seconds(20))
    }

    @Test func newTermEndsTheAskingAfterAHint() throws {
        var harness = try MachineHarness(hintsPrecedeRelease: true)
        harness.start()
        harness.answer(try harness.takeAcquire(), .held(record(term: 10, remaining: nil)))
        harness.hint()
        harness.answer(try harness.takeAcquire(), .held(record(term: 11, remaining: nil)))
        let wakeup = try #require(harness.machine.wakeup)
        #expect(harness.now.duration(to: wakeup) > .seconds(20))
    }

    @Test(arguments: [true, false]) func whoStopsWaitingInAQueueGivesItsPlaceBack(isQueue: Bool) throws {
        var harness = try MachineHarness(queuesCandidates: isQueue)
        harness.start()
        harness.answer(try harness.takeAcquire(), .held(record(term: 10)))
        _ = harness.drain()
        harness.stop()
        #expect(harness.drain().contains("release") == isQueue)
    }

    @Test func whoStandsDownWhileItWaitsInAQueueGivesItsPlaceBackAndComesBackWithAnotherNonce() throws {
        var harness = try MachineHarness(queuesCandidates: true)
        harness.start()
        let first = try harness.takeAcquire()
        harness.answer(first, .held(record(term: 10)))
        _ = harness.drain()
        harness.resign(.seconds(5))
        #expect(harness.drain().contains("release"))
        harness.run(.seconds(5))
        let second = try harness.takeAcquire()
        #expect(second.nonce != first.nonce)
    }

    @Test func answerThatComesAfterStandingDownGivesThePlaceBack() throws {
        var harness = try MachineHarness(queuesCandidates: true)
        harness.start()
        let call = try harness.takeAcquire()
        harness.resign(.seconds(5))
        #expect(!harness.drain().contains("release"))
        harness.answer(call, .held(record(term: 10)))
        #expect(harness.drain().contains("release"))
    }

    @Test func leaseThatOnlyWeCanTimeIsTakenAfterItStoodStillForALease() throws {
        var harness = try MachineHarness()
        harness.start()
        let silent = record(term: 10, remaining: nil, isObserverTimed: true)
        #expect(try answerNext(&harness, silent).observed == nil)
        // W = 10 · 1.002 + 0.5 s from when the first answer was processed.
        harness.run(.milliseconds(10519))
        #expect(!harness.drain().contains("acquire"))
        harness.run(.milliseconds(1))
        let takeover = try harness.takeAcquire()
        #expect(takeover.observed == silent.version)
    }

    @Test func signOfLifeRestartsTheWatch() throws {
        var harness = try MachineHarness()
        harness.start()
        _ = try answerNext(&harness, record(term: 10, sequence: 1, remaining: nil, isObserverTimed: true))
        harness.run(.milliseconds(10520))
        _ = try answerNext(&harness, record(term: 10, sequence: 2, remaining: nil, isObserverTimed: true))
        harness.run(.milliseconds(10520))
        #expect(try harness.takeAcquire().observed == LeaseVersion(term: 10, sequence: 2))
    }

    @Test func theWatchBeginsWhereTheProviderSawTheLastSignOfLife() throws {
        var harness = try MachineHarness()
        harness.start()
        _ = try answerNext(&harness, record(term: 10, sequence: 1, remaining: nil, isObserverTimed: true))
        harness.run(.milliseconds(10520))
        var seen = record(term: 10, sequence: 2, remaining: nil, isObserverTimed: true)
        seen.unchangedFor = .seconds(7)
        _ = try answerNext(&harness, seen)
        harness.run(.milliseconds(3519))
        #expect(!harness.drain().contains("acquire"))
        harness.run(.milliseconds(1))
        #expect(try harness.takeAcquire().observed == seen.version)
    }

    private func answerNext(
        _ harness: inout MachineHarness,
        _ record: LeaseRecord
    ) throws -> MachineHarness.AcquireCall {
        let call = try harness.takeAcquire()
        harness.answer(call, .held(record))
        return call
    }

    @Test func unansweredAttemptIsRepeatedWithTheSameNonce() throws {
        var harness = try MachineHarness()
        harness.start()
        let first = try harness.takeAcquire()
        harness.run(.seconds(2))
        let second = try harness.takeAcquire()
        #expect(second.nonce == first.nonce)
        harness.answer(second, .granted(term: 10, leaseDuration: .seconds(10)))
        #expect(harness.machine.term == 10)
        // The first answer comes late, for the very lease that is held now.
        _ = harness.drain()
        harness.answer(first, .granted(term: 10, leaseDuration: .seconds(10)))
        #expect(harness.drain().isEmpty)
    }

    @Test func lateGrantThatNobodyWaitsForIsGivenBack() throws {
        var harness = try MachineHarness()
        harness.start()
        let first = try harness.takeAcquire()
        harness.run(.seconds(2))
        harness.answer(try harness.takeAcquire(), .granted(term: 10, leaseDuration: .seconds(10)))
        harness.resign(.seconds(60))
        harness.answer(try harness.takeRelease(), .released)
        _ = harness.drain()
        harness.answer(first, .granted(term: 11, leaseDuration: .seconds(10)))
        #expect(try harness.takeRelease().term == 11)
        #expect(harness.machine.term == nil)
    }

    @Test func errorIsToldOncePerChangeOfCause() throws {
        var harness = try MachineHarness()
        harness.start()
        for _ in 0..<5 {
            harness.answer(try harness.takeAcquire(), .unknown(anError))
            harness.run(harness.now.duration(to: try #require(harness.machine.wakeup)))
        }
        #expect(harness.announcedErrors == [.storeUnavailable])
        harness.answer(try harness.takeAcquire(), .unknown(ElectionError(.storeRefused, "no permission")))
        #expect(harness.announcedErrors == [.storeUnavailable, .storeRefused])
    }

    @Test func backOffGrowsAndIsCapped() throws {
        var harness = try MachineHarness()
        harness.start()
        for failure in 1...12 {
            harness.answer(try harness.takeAcquire(), .unknown(anError))
            let wakeup = try #require(harness.machine.wakeup)
            let delay = harness.now.duration(to: wakeup)
            #expect(delay >= .milliseconds(10))
            #expect(delay <= min(.seconds(5), .milliseconds(100 * (1 << (failure - 1)))))
            harness.run(delay)
        }
    }

    @Test func namesakeIsWarnedAboutOnce() throws {
        var harness = try MachineHarness()
        harness.start()
        for sequence in 0..<3 {
            let twin = record(term: 10, holder: "me", sequence: Int64(sequence), remaining: .seconds(1))
            harness.answer(try harness.takeAcquire(), .held(twin))
            harness.run(.seconds(2))
        }
        #expect(harness.announcedErrors == [.duplicateCandidate])
    }

    @Test func storeThatWentBackInTimeIsReported() throws {
        var harness = try MachineHarness()
        harness.start()
        harness.answer(try harness.takeAcquire(), .held(record(term: 10, remaining: .seconds(1))))
        harness.run(.seconds(2))
        harness.answer(try harness.takeAcquire(), .held(record(term: 5, remaining: .seconds(1))))
        #expect(harness.announcedErrors == [.termRegression])
    }

    @Test func storeThatWentBackInTimeIsReportedOnceUntilTermsGrowAgain() throws {
        var harness = try MachineHarness()
        harness.start()
        for (term, reports) in [(10, 0), (5, 1), (6, 1), (7, 1), (11, 1), (8, 2), (9, 2)] {
            harness.answer(try harness.takeAcquire(), .held(record(term: Int64(term), remaining: .seconds(1))))
            harness.run(.seconds(2))
            #expect(harness.announcedErrors.count == reports, "after term \(term)")
        }
        harness.answer(try harness.takeAcquire(), .granted(term: 10, leaseDuration: .seconds(10)))
        #expect(try harness.takeRelease().term == 10)
        #expect(harness.announcedErrors.count == 2)
    }

    @Test func observerNeverAsksForTheLease() throws {
        var configuration = ElectionConfiguration(candidate: "me")
        configuration.participation = .observer
        var harness = try MachineHarness(configuration)
        harness.start()
        harness.hint()
        harness.run(.seconds(120))
        let names = harness.drain()
        #expect(names.contains("read") && !names.contains("acquire"))
    }

    @Test func deferralIsWaitedOut() throws {
        var harness = try MachineHarness()
        harness.start()
        harness.answer(try harness.takeAcquire(), .deferred(retryAfter: .milliseconds(300), reason: "quarantine"))
        harness.run(.milliseconds(299))
        #expect(!harness.drain().contains("acquire"))
        harness.run(.milliseconds(1))
        #expect(harness.drain() == ["acquire"])
    }

    /// How often why nobody may lead was told while the store gave these answers, each asked for when it had said.
    private func tellings(_ harness: inout MachineHarness, _ answers: [AcquireAnswer]) throws -> Int {
        var count = 0
        for answer in answers {
            harness.answer(try harness.takeAcquire(), answer)
            count += harness.drain().count { $0 == "deferred" }
            harness.run(try #require(harness.machine.wakeup) - harness.now)
        }
        return count
    }

    private func deferral(_ seconds: Double, _ reason: String = "quarantine") -> AcquireAnswer {
        .deferred(retryAfter: .seconds(seconds), reason: reason)
    }

    @Test func aDeferralIsToldOnceForEachPeriodAndCause() throws {
        var harness = try MachineHarness()
        harness.start()
        #expect(try tellings(&harness, [deferral(10), deferral(10), deferral(10)]) == 1)
        #expect(try tellings(&harness, [deferral(10, "another cause"), deferral(10, "another cause")]) == 1)
        let held = AcquireAnswer.held(record(term: 10, remaining: .seconds(1)))
        #expect(try tellings(&harness, [held, deferral(10)]) == 1)
    }

    @Test func anotherReasonForTheSameWaitIsNotToldAgain() throws {
        var harness = try MachineHarness()
        harness.start()
        harness.answer(try harness.takeAcquire(), deferral(10, "it was replaced"))
        #expect(harness.drain().contains("deferred"))
        harness.run(.seconds(4))
        harness.hint()
        harness.answer(try harness.takeAcquire(), deferral(6.1, "leases may still run"))
        #expect(!harness.drain().contains("deferred"))
    }

    @Test func shortDeferralsAreToldOnceTheyAddUp() throws {
        var harness = try MachineHarness()
        harness.start()
        var told: [ElectionInstant] = []
        let start = harness.now
        for _ in 0..<200 {
            harness.answer(try harness.takeAcquire(), deferral(0.025, "a transaction is open"))
            if harness.drain().contains("deferred") { told.append(harness.now) }
            harness.run(.milliseconds(25))
        }
        #expect(told.count == 1)
        #expect(told.first.map { $0 - start + .milliseconds(25) } == .milliseconds(1675))
    }
}
