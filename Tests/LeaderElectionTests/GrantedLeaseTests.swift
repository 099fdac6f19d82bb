// SPDX-License-Identifier: MIT

import LeaderElection
import Testing

/// A store may grant less than was asked for: then that is what renewals must fit into.
@Suite struct GrantedLeaseTests {
    private func timing(_ lease: Duration = .seconds(10), gracePeriod: Duration = .zero) throws -> LeaseTiming {
        var configuration = ElectionConfiguration(candidate: "me", leaseDuration: lease)
        configuration.gracePeriod = gracePeriod
        return try LeaseTiming(configuration)
    }

    @Test func leaseThatWasAskedForIsRenewedAsConfigured() throws {
        var configuration = ElectionConfiguration(candidate: "me")
        configuration.renewInterval = .seconds(2)
        configuration.attemptTimeout = .seconds(1)
        let timing = try LeaseTiming(configuration)
        for lease in [Duration.seconds(10), .seconds(11), .seconds(1000)] {
            #expect(timing.renewInterval(ofLease: lease) == .seconds(2))
            #expect(timing.renewTimeout(ofLease: lease) == .seconds(1))
        }
        // A shorter one, too, as long as what was configured fits.
        #expect(timing.renewInterval(ofLease: .seconds(8)) == .seconds(2))
        #expect(timing.renewTimeout(ofLease: .seconds(8)) == .seconds(1))
    }

    @Test(arguments: [3, 6, 10, 15, 30, 3600], [Duration.zero, .milliseconds(400)])
    func threeAttemptsFitIntoWhatWasGranted(seconds: Int, gracePeriod: Duration) throws {
        let timing = try timing(.seconds(seconds), gracePeriod: gracePeriod)
        var last = Duration.zero
        for permille in stride(from: 100, through: 1000, by: 1) {
            let lease = Duration.seconds(seconds) * permille / 1000
            let validity = timing.validity(ofLease: lease)
            guard validity - gracePeriod > .milliseconds(60) else { continue }
            let (interval, timeout) = (timing.renewInterval(ofLease: lease), timing.renewTimeout(ofLease: lease))
            #expect(interval <= validity / 3)
            #expect(interval + timeout * 2 + gracePeriod < validity)
            #expect(interval <= timing.renewInterval && timeout <= timing.attemptTimeout)
            #expect(interval >= last, "a longer lease is not renewed more often")
            last = interval
        }
        #expect(last == timing.renewInterval)
    }

    @Test func leasesThatDifferALittleShareTheirBeat() throws {
        let timing = try timing()
        let intervals = Set((1...10_000).map { timing.renewInterval(ofLease: .milliseconds($0)) })
        #expect(intervals.count < 100)
    }

    @Test func leasesThatAreLongerAndShorterByTurnsAreRenewedNoSoonerForIt() async throws {
        let channel = ProviderChannel(
            provider: InMemoryElectionProvider(),
            executor: SerialThread(name: "test"),
            clock: SystemClock(),
            random: SystemRandomNumberGenerator()
        )
        var now = ElectionInstant.now
        for turn in 0..<100 {
            let interval = Duration.milliseconds(turn.isMultiple(of: 2) ? 4000 : 3750)
            let beat = await channel.nextBeat(interval: interval, after: now)
            #expect(beat - now >= interval * 0.8 && beat - now <= interval)
            // What is asked for meanwhile, for leases of the other length, is renewed with the rest.
            let other = await channel.nextBeat(interval: .milliseconds(4100), after: now + .milliseconds(3))
            #expect(other == beat)
            now = beat + .milliseconds(5)
        }
    }

    @Test func leaseThatIsGoodForNothingIsNotRenewedWithoutPause() throws {
        let timing = try timing()
        for lease in [Duration.seconds(-1), .zero, .milliseconds(50)] {
            #expect(timing.renewInterval(ofLease: lease) > .milliseconds(8))
            #expect(timing.renewTimeout(ofLease: lease) >= .milliseconds(10))
        }
    }

    @Test func shortGrantIsRenewedWithinAThirdOfIt() throws {
        var harness = try MachineHarness()
        harness.start()
        // As a ZooKeeper session of 10 s is good for 5.7 s where the servers' ticks are 2 s.
        let sent = harness.now
        harness.answer(try harness.takeAcquire(), .granted(term: 10, leaseDuration: .milliseconds(5700)))
        let validity = harness.timing.validity(ofLease: .milliseconds(5700))
        let interval = harness.timing.renewInterval(ofLease: .milliseconds(5700))
        #expect(interval > validity / 4 && interval <= validity / 3)
        harness.run(interval)
        let call = try harness.takeRenew()
        #expect(call.timeout <= validity / 5)
        #expect(harness.machine.deadline == sent.advanced(by: validity))
        // The store recovers: from here on it is renewed as often as was configured.
        harness.answer(call, .renewed(leaseDuration: .seconds(10)))
        harness.run(interval)
        harness.answer(try harness.takeRenew(), .renewed(leaseDuration: .seconds(10)))
        harness.run(.milliseconds(3159))
        #expect(!harness.drain().contains("renew"))
        harness.run(.milliseconds(1))
        #expect(harness.drain().contains("renew"))
    }

    @Test func renewalThatGrantsLessIsFollowedSooner() throws {
        var harness = try MachineHarness()
        _ = try harness.lead()
        harness.run(.milliseconds(3160))
        harness.answer(try harness.takeRenew(), .renewed(leaseDuration: .seconds(3)))
        #expect(harness.machine.lease == .seconds(3))
        harness.run(harness.timing.validity(ofLease: .seconds(3)) / 3)
        #expect(harness.drain().contains("renew"))
    }

    @Test func shortGrantIsTriedAtLeastThreeTimesBeforeItsDeadline() throws {
        for permille in stride(from: 50, through: 1000, by: 50) {
            var harness = try MachineHarness(seed: UInt64(permille))
            harness.start()
            harness.answer(
                try harness.takeAcquire(),
                .granted(term: 10, leaseDuration: .milliseconds(10 * permille))
            )
            // Nothing is ever answered.
            harness.run(.seconds(12))
            let names = harness.drain()
            #expect(names.filter { $0 == "renew" }.count >= 3, "of \(permille) thousandths")
            #expect(harness.machine.term == nil)
        }
    }
}
