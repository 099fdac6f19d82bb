// SPDX-License-Identifier: MIT

import LeaderElection
import LeaderElectionTesting
import Testing

@Suite(.timeLimit(.minutes(2))) struct ServiceTests {
    let harness = ServiceHarness()

    @Test func oneOfTwoLeadsAndTheOtherKnowsIt() async throws {
        let (first, second) = (try harness.service("first"), try harness.service("second"))
        try await withElection(first) { first in
            let leadership = try await first.waitForLeadership()
            try await withElection(second) { second in
                let leader = try await second.waitForLeader()
                #expect(leader.id == "first" && leader.term == leadership.term)
                #expect(first.isLeader && !second.isLeader)
                #expect(second.leadership == nil)
                #expect(first.leader?.id == "first")
            }
        }
    }

    @Test func isLeaderEndsWithTheClockEvenIfNothingElseHappens() async throws {
        let provider = FaultyProvider(
            wrapping: harness.provider(),
            clock: harness.clock,
            rules: [FaultRule(.hang, when: .always, on: [.renew])]
        )
        let election = try harness.service("alone", provider: provider)
        try await harness.during(election) { election in
            let leadership = try await election.waitForLeadership()
            #expect(leadership.remaining == .milliseconds(9480))
            harness.clock.advance(by: .milliseconds(9479))
            #expect(election.isLeader && leadership.isValid)
            harness.clock.advance(by: .milliseconds(1))
            // Not `isLeader`: from here on the service may lead again, in a new term.
            #expect(!leadership.isValid)
            #expect(leadership.remaining == .zero)
            #expect(throws: ElectionError.self) { try leadership.check() }
        }
    }

    @Test func releaseHandsOverWithALargerTerm() async throws {
        let (first, second) = (try harness.service("first"), try harness.service("second"))
        let running = Task { try await first.run() }
        let old = try await first.waitForLeadership()
        try await harness.during(second) { second in
            _ = try await second.waitForLeader()
            first.stop()
            let new = try await second.waitForLeadership()
            #expect(!old.isValid)
            #expect(new.term > old.term)
        }
        try await running.value
    }

    @Test func crashHandsOverWhenTheLeaseIsOver() async throws {
        let deadEnd = deadEnd()
        let (first, second) = (try harness.service("first", provider: deadEnd), try harness.service("second"))
        let running = Task { try await first.run() }
        let old = try await first.waitForLeadership()
        try await harness.during(second) { second in
            _ = try await second.waitForLeader()
            var events = second.events.makeAsyncIterator()
            harness.clock.advance(by: .seconds(10) + .milliseconds(21))
            #expect(!old.isValid)
            let acquired = try await events.next(.acquired)
            #expect(try #require(acquired.term) > old.term)
        }
        deadEnd.replaceRules([])
        first.stop()
        try await running.value
    }

    /// A store that can be led but to which nothing gets through afterwards.
    private func deadEnd() -> FaultyProvider {
        FaultyProvider(
            wrapping: harness.provider(),
            clock: harness.clock,
            rules: [
                FaultRule(.dropBeforeApplying, when: .after(1), on: [.acquire]),
                FaultRule(.dropBeforeApplying, when: .always, on: [.renew, .release]),
            ]
        )
    }

    @Test func forwardStepOfTheWallClockEndsTheTermForGood() async throws {
        let election = try harness.service("alone")
        try await harness.during(election) { election in
            let leadership = try await election.waitForLeadership()
            harness.clock.stepWall(by: .seconds(3600))
            #expect(!election.isLeader)
            harness.clock.stepWall(by: .seconds(-3600))
            #expect(!leadership.isValid)
            var events = election.events.makeAsyncIterator()
            harness.clock.advance(by: .milliseconds(3200))
            let lost = try await events.next(.lost)
            #expect(lost.reason == .clockJumped)
            let next = try await election.waitForLeadership()
            #expect(next.term > leadership.term)
        }
    }

    @Test func backwardStepOfTheWallClockChangesNothing() async throws {
        let election = try harness.service("alone")
        try await harness.during(election) { election in
            let leadership = try await election.waitForLeadership()
            harness.clock.stepWall(by: .seconds(-3600))
            #expect(leadership.isValid)
        }
    }

    @Test func suspendForLongerThanTheLeaseEndsTheTerm() async throws {
        let election = try harness.service("alone")
        try await harness.during(election) { election in
            let leadership = try await election.waitForLeadership()
            var events = election.events.makeAsyncIterator()
            harness.clock.suspend(for: .seconds(20))
            #expect(!leadership.isValid)
            let lost = try await events.next(.lost)
            #expect(lost.reason == .expired)
            let acquired = try await events.next(.acquired)
            #expect(acquired.term ?? 0 > leadership.term)
        }
    }

    @Test func secondRunIsRefused() async throws {
        let election = try harness.service("alone")
        try await harness.during(election) { election in
            _ = try await election.waitForLeadership()
            await #expect(throws: ElectionError.self) { try await election.run() }
            #expect(election.isLeader)
        }
        await #expect(throws: ElectionError.self) { try await election.run() }
    }

    @Test func cancellationStopsAndGivesTheLeaseBack() async throws {
        let election = try harness.service("alone")
        let running = Task { try await election.run() }
        _ = try await election.waitForLeadership()
        running.cancel()
        try await running.value
        #expect(!election.isLeader)
        let answer = try await harness.provider().holders(of: [election.group])
        guard case .free = try #require(answer.first) else {
            Issue.record("the lease is still held: \(answer)")
            return
        }
    }

    @Test func aProviderHasTimeLeftToSayWhyItDidNotAnswer() async throws {
        let provider = SilentProvider(wrapped: harness.provider(), clock: harness.clock)
        let election = try harness.service("alone", provider: provider)
        let running = Task { try await election.run() }
        var events = election.events.makeAsyncIterator()
        let timeout = Duration.seconds(10) / 6
        try await harness.clock.waitForTimer(by: harness.clock.now.advanced(by: timeout - .milliseconds(1)))
        harness.clock.advance(by: timeout - .milliseconds(1))
        #expect(try await events.next(.error).error?.message == "the network is down")
        election.stop()
        let passing = Task { try await harness.clock.passTime() }
        defer { passing.cancel() }
        try await running.value
    }

    @Test func stopReturnsAlthoughTheStoreHangs() async throws {
        let provider = FaultyProvider(
            wrapping: harness.provider(),
            clock: harness.clock,
            rules: [FaultRule(.hang, when: .always, on: [.release])]
        )
        let election = try harness.service("alone", provider: provider)
        let running = Task { try await election.run() }
        _ = try await election.waitForLeadership()
        let mark = harness.clock.now
        var events = election.events.makeAsyncIterator()
        election.stop()
        _ = try await events.next(.lost)
        #expect(!election.isLeader)
        try await harness.clock.waitForTimer(by: mark.advanced(by: .seconds(10) / 6))
        harness.clock.advance(by: .seconds(10) / 6 + .milliseconds(1))
        try await running.value
    }

    @Test func hangingAcquisitionOfOneGroupLeavesOthersLeading() async throws {
        let provider = FaultyProvider(
            wrapping: harness.provider(),
            clock: harness.clock,
            rules: [FaultRule(.hang, when: .always, on: [.acquire], groups: "stuck")]
        )
        let healthy = try harness.service("alone", group: "healthy", provider: provider)
        let stuck = try harness.service("alone", group: "stuck", provider: provider)
        try await harness.during(stuck) { _ in
            try await harness.during(healthy) { healthy in
                // Both may share the first call; it is abandoned, and the next one goes through.
                try await provider.waitForSuspendedCalls(1)
                harness.clock.advance(by: .seconds(2))
                harness.clock.advance(by: .seconds(2))
                let leadership = try await eventually(healthy)
                #expect(leadership.isValid)
            }
            provider.replaceRules([])
            provider.releaseHung()
            stuck.stop()
        }
    }

    /// Moves time on until the candidate leads: a candidate whose call was abandoned asks again after a while.
    private func eventually(_ election: ElectionService) async throws -> Leadership {
        let waiting = Task { try await election.waitForLeadership() }
        while election.leadership == nil {
            let mark = harness.clock.timersSet
            if let next = harness.clock.nextDeadline { harness.clock.advance(to: next) }
            if election.leadership == nil { try await harness.clock.waitForTimer(after: mark) }
        }
        return try await waiting.value
    }

    @Test func namesakesContendAndAreWarned() async throws {
        let (first, second) = (try harness.service("same"), try harness.service("same"))
        try await harness.during(first) { first in
            _ = try await first.waitForLeadership()
            var events = second.events.makeAsyncIterator()
            try await harness.during(second) { second in
                let warning = try await events.next(.error)
                #expect(warning.error?.code == .duplicateCandidate)
                #expect(first.isLeader && !second.isLeader)
            }
        }
    }

    @Test func wipedStoreGrantsALargerTerm() async throws {
        let election = try harness.service("alone")
        try await harness.during(election) { election in
            let old = try await election.waitForLeadership()
            var events = election.events.makeAsyncIterator()
            harness.store.wipe()
            harness.clock.advance(by: .milliseconds(3200))
            let lost = try await events.next(.lost)
            #expect(lost.reason == .superseded)
            let acquired = try await events.next(.acquired)
            #expect(acquired.term ?? 0 > old.term)
        }
    }
}

/// Finds out that nothing can be had once its time is up.
private final class SilentProvider: ElectionProvider {
    private let wrapped: InMemoryElectionProvider
    private let clock: ManualClock

    init(wrapped: InMemoryElectionProvider, clock: ManualClock) {
        self.wrapped = wrapped
        self.clock = clock
    }

    var guarantees: ProviderGuarantees { wrapped.guarantees }

    func acquire(_ requests: [AcquireRequest]) async throws -> [AcquireAnswer] {
        try await clock.sleep(until: clock.now.advanced(by: requests.map(\.timeout).min() ?? .zero))
        throw ElectionError(.timedOut, "the network is down")
    }

    func renew(_ requests: [RenewRequest]) async throws -> [RenewAnswer] { try await wrapped.renew(requests) }
    func release(_ requests: [ReleaseRequest]) async throws -> [ReleaseAnswer] { try await wrapped.release(requests) }
    func holders(of groups: [ElectionGroup]) async throws -> [HolderAnswer] { try await wrapped.holders(of: groups) }
}
