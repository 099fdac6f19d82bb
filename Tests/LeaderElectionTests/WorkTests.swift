// SPDX-License-Identifier: MIT

import LeaderElection
import LeaderElectionTesting
import Testing

@Suite(.timeLimit(.minutes(2))) struct WorkTests {
    let harness = ServiceHarness()

    @Test func workRunsWhileLeadingAndIsCancelledByAStop() async throws {
        let election = try harness.service("alone")
        let (started, ended) = (Gate(), Gate())
        async let run: Void = election.run()
        async let work: Void = election.whileLeader { leadership in
            #expect(leadership.isValid)
            started.open()
            await Gate().wait()
            #expect(Task.isCancelled)
            // An orderly end keeps the lease until the work is done.
            #expect(leadership.isValid)
            ended.open()
        }
        await started.wait()
        election.stop()
        await ended.wait()
        try await run
        try await work
        #expect(!election.isLeader)
    }

    @Test func nextLeaderBeginsOnlyAfterTheWorkOfTheLastHasEnded() async throws {
        let (first, second) = (try harness.service("first"), try harness.service("second"))
        let (started, mayEnd) = (Gate(), Gate())
        async let secondRun: Void = { [harness] in
            await started.wait()
            try await second.run()
            _ = harness
        }()
        async let firstRun: Void = first.run()
        async let work: Void = first.whileLeader { _ in
            started.open()
            await mayEnd.waitStubbornly()
        }
        await started.wait()
        _ = try await second.waitForLeader()
        first.stop()
        harness.clock.advance(by: .seconds(3))
        #expect(first.isLeader && !second.isLeader)
        mayEnd.open()
        try await firstRun
        try await work
        #expect(try await second.waitForLeadership().isValid)
        second.stop()
        try await secondRun
    }

    @Test func workRunsAgainInTheNextTerm() async throws {
        let election = try harness.service("alone")
        let (terms, continuation) = AsyncStream.makeStream(of: Int64.self)
        async let run: Void = election.run()
        async let work: Void = election.whileLeader { leadership in
            continuation.yield(leadership.term)
            await Gate().wait()
        }
        var iterator = terms.makeAsyncIterator()
        let first = try #require(await iterator.next())
        harness.clock.suspend(for: .seconds(20))
        let second = try #require(await iterator.next())
        #expect(second > first)
        election.stop()
        let passing = Task { try await harness.clock.passTime() }
        defer { passing.cancel() }
        try await run
        try await work
    }

    @Test func errorOfTheWorkEndsWhileLeaderButNotTheElection() async throws {
        struct Failure: Error {}
        let election = try harness.service("alone")
        try await harness.during(election) { election in
            await #expect(throws: Failure.self) {
                try await election.whileLeader { _ in throw Failure() }
            }
            #expect(election.isLeader)
        }
    }

    @Test func cancellingTheCallerCancelsTheWork() async throws {
        let election = try harness.service("alone")
        let started = Gate()
        try await harness.during(election) { election in
            let worker = Task {
                try await election.whileLeader { _ in
                    started.open()
                    await Gate().wait()
                }
            }
            await started.wait()
            worker.cancel()
            await #expect(throws: CancellationError.self) { try await worker.value }
            #expect(election.isLeader)
        }
    }

    @Test func runIfLeaderReturnsNilForAFollower() async throws {
        let (first, second) = (try harness.service("first"), try harness.service("second"))
        try await harness.during(first) { first in
            _ = try await first.waitForLeadership()
            #expect(try await first.runIfLeader { $0.term } == first.leadership?.term)
            try await harness.during(second) { second in
                _ = try await second.waitForLeader()
                #expect(try await second.runIfLeader { $0.term } == nil)
            }
        }
    }

    @Test func runIfLeaderTellsThatTheTermEnded() async throws {
        let election = try harness.service("alone")
        let started = Gate()
        try await harness.during(election) { election in
            _ = try await election.waitForLeadership()
            async let outcome = election.runIfLeader { _ in
                started.open()
                try await harness.clock.sleep(until: .init(nanoseconds: .max / 4))
            }
            await started.wait()
            harness.clock.suspend(for: .seconds(20))
            do {
                _ = try await outcome
                Issue.record("the work was not cancelled")
            } catch {
                #expect((error as? ElectionError)?.code == .leaseLost)
            }
        }
    }

    @Test func resignFromWithinTheWorkDoesNotWaitForItself() async throws {
        let election = try harness.service("alone")
        let resigned = Gate()
        async let run: Void = election.run()
        async let work: Void = election.whileLeader { _ in
            await election.resign()
            resigned.open()
        }
        await resigned.wait()
        election.stop()
        try await run
        try await work
    }

    @Test func withLeaseRunsAndGivesBack() async throws {
        let provider = harness.provider()
        let term = try await provider.withLease("migration", clock: harness.clock) { $0.term }
        let next = try await provider.withLease("migration", clock: harness.clock) { $0.term }
        #expect(next > term)
    }

    @Test func withLeaseTriesOnceUnlessToldToWait() async throws {
        let holder = try harness.service("holder", group: "migration")
        try await harness.during(holder) { holder in
            _ = try await holder.waitForLeadership()
            do {
                try await harness.provider().withLease("migration", clock: harness.clock) { _ in
                    Issue.record("two hold the lease")
                }
            } catch {
                let error = error as? ElectionError
                #expect(error?.code == .leaseHeld)
                #expect(error?.message.contains("holder") == true)
            }
        }
    }

    @Test func withLeaseSaysWhyTheStoreGrantsNothing() async throws {
        let provider = FaultyProvider(
            wrapping: harness.provider(),
            clock: harness.clock,
            rules: [FaultRule(.deferral(for: .seconds(10), reason: "its data is gone"))]
        )
        let error = await #expect(throws: ElectionError.self) {
            try await provider.withLease("migration", clock: harness.clock) { _ in }
        }
        #expect(error?.code == .leaseHeld && error?.message.contains("its data is gone") == true)
    }

    @Test func withLeaseWaitsForTheHolder() async throws {
        let holder = try harness.service("holder", group: "migration")
        let running = Task { try await holder.run() }
        let old = try await holder.waitForLeadership()
        async let term = harness.provider().withLease(
            "migration",
            waitingUpTo: .seconds(30),
            clock: harness.clock
        ) { $0.term }
        holder.stop()
        try await running.value
        #expect(try await term > old.term)
    }

    @Test func withLeaseGivesUpWhenItsTimeIsOver() async throws {
        let holder = try harness.service("holder", group: "migration")
        try await harness.during(holder) { holder in
            _ = try await holder.waitForLeadership()
            let end = harness.clock.now.advanced(by: .seconds(3))
            let waiting = Task {
                try await harness.provider().withLease(
                    "migration",
                    waitingUpTo: .seconds(3),
                    clock: harness.clock
                ) { _ in }
            }
            try await harness.clock.waitForTimer(at: end)
            harness.clock.advance(to: end)
            await #expect(throws: ElectionError.self) { try await waiting.value }
        }
    }
}
