// SPDX-License-Identifier: MIT

import LeaderElection
import LeaderElectionTesting
import Synchronization
import Testing

@testable import LeaderElection

#if canImport(Glibc)
import Glibc
#elseif canImport(Musl)
import Musl
#else
import Darwin
#endif

@Suite struct HealthMachineTests {
    private let start = ElectionInstant(nanoseconds: 1_000_000_000)

    private func verdicts(
        of scores: [Double?],
        _ adjust: (inout HealthCheck) -> Void = { _ in }
    ) -> [HealthMachine.Verdict?] {
        struct Failed: Error {}
        var check = HealthCheck { 1 }
        adjust(&check)
        var machine = HealthMachine(check, at: start)
        var now = start
        return scores.map { score in
            guard let number = machine.timerFired(at: now) else { return nil }
            let result: Result<HealthCheck.Score, any Error> =
                score.map { .success(HealthCheck.Score($0)) } ?? .failure(Failed())
            defer { now = machine.wakeup ?? now }
            return machine.checked(result, of: number, at: now)
        }
    }

    @Test func theFirstCheckDecidesAlone() {
        #expect(verdicts(of: [1]) == [.well])
        #expect(verdicts(of: [0.2]) == [.unwell("score 0.2 of at least 0.5")])
    }

    @Test func onlyAsManyFailuresInARowCount() {
        #expect(verdicts(of: [1, 0, nil, 1, 0, nil, 0]).dropLast() == [.well, nil, nil, nil, nil, nil])
        #expect(verdicts(of: [1, 0, nil, 1, 0, nil, 0]).last == .unwell("score 0.0 of at least 0.5"))
    }

    @Test func recoveryNeedsTheHigherScoreSeveralTimes() {
        let found = verdicts(of: [1, 0, 0, 0.6, 0.8, 0.6, 0.8, 0.8]) {
            $0.failureThreshold = 2
            $0.recoveryScore = 0.7
            $0.recoveryThreshold = 2
        }
        #expect(found == [.well, nil, .unwell("score 0.0 of at least 0.5"), nil, nil, nil, nil, .well])
    }

    @Test func anAnswerToAnEarlierCheckIsIgnored() throws {
        var machine = HealthMachine(HealthCheck { 1 }, at: start)
        let first = machine.timerFired(at: start)
        #expect(machine.wakeup == nil)
        #expect(machine.timerFired(at: start) == nil)
        _ = machine.checked(.failure(CancellationError()), of: try #require(first), at: start)
        let due = try #require(machine.wakeup)
        let second = machine.timerFired(at: due)
        _ = machine.checked(.success(0.9), of: try #require(first), at: due)
        #expect(machine.score == 0)
        _ = machine.checked(.success(0.8), of: try #require(second), at: due)
        #expect(machine.score == 0.8)
    }

    @Test func anotherCheckCountsOnAndDoesNotWaitForTheOldInterval() throws {
        var check = HealthCheck { 1 }
        check.interval = .seconds(3600)
        var machine = HealthMachine(check, at: start)
        func score(_ score: HealthCheck.Score, at now: ElectionInstant) throws -> HealthMachine.Verdict? {
            let number = machine.timerFired(at: now)
            return machine.checked(.success(score), of: try #require(number), at: now)
        }
        #expect(try score(1, at: start) == .well)
        #expect(try score(0, at: start + .seconds(3600)) == nil)
        check.interval = .seconds(2)
        check.failureThreshold = 2
        machine.change(to: check, at: start + .seconds(3601))
        #expect(machine.wakeup == start + .seconds(3603))
        #expect(try score(0, at: start + .seconds(3603)) != nil)
    }

    @Test func scoresAreKeptWithinTheirBounds() {
        #expect([-1, 0.25, 7, .nan].map { HealthCheck.Score($0).value } == [0, 0.25, 1, 0])
    }
}

@Suite(.timeLimit(.minutes(2))) struct HealthTests {
    let harness = ServiceHarness()

    private static let impossible: [(name: String, check: HealthCheck)] = {
        func check(_ adjust: (inout HealthCheck) -> Void) -> HealthCheck {
            var check = HealthCheck { 1 }
            adjust(&check)
            return check
        }
        return [
            ("interval", check { $0.interval = .milliseconds(1) }), ("timeout", check { $0.timeout = .zero }),
            ("minimumScore", check { $0.minimumScore = 1.5 }), ("recoveryScore", check { $0.recoveryScore = 0.1 }),
            ("failureThreshold", check { $0.failureThreshold = 0 }),
            ("recoveryThreshold", check { $0.recoveryThreshold = 0 }),
        ]
    }()

    @Test(arguments: impossible.indices) func whatMakesNoSenseIsRefused(_ index: Int) {
        let (name, check) = Self.impossible[index]
        let error = #expect(throws: ElectionError.self) {
            _ = try harness.service("alone") { $0.healthCheck = check }
        }
        #expect(error?.code == .invalidConfiguration && error?.message.contains(name) == true)
    }

    @Test func whoIsNotWellGivesLeadershipUpAndComesBack() async throws {
        let score = Mutex(1.0)
        let election = try harness.service("first") {
            $0.healthCheck = patient { HealthCheck.Score(score.withLock { $0 }, details: ["disk": "full"]) }
        }
        try await harness.steadily {
            try await withElection(election) { election in
                let old = try await election.waitForLeadership()
                var events = election.events.makeAsyncIterator()
                score.withLock { $0 = 0 }
                #expect(try await events.next(.lost).reason == .unhealthy)
                let error = try await events.next(.error).error
                #expect(error?.code == .unhealthy && error?.message.contains("disk: full") == true)
                #expect(!old.isValid)
                score.withLock { $0 = 1 }
                #expect(try await election.waitForLeadership().term > old.term)
            }
        }
    }

    @Test func anotherCheckTakesThePlaceOfTheFirst() async throws {
        let election = try harness.service("first") { $0.healthCheck = patient { 1 } }
        let unchecked = try harness.service("unchecked")
        try await harness.steadily {
            try await withElection(election) { election in
                let old = try await election.waitForLeadership()
                var events = election.events.makeAsyncIterator()
                try election.changeHealthCheck(to: patient { 0 })
                #expect(try await events.next(.lost).reason == .unhealthy)
                try election.changeHealthCheck(to: patient { 1 })
                #expect(try await election.waitForLeadership().term > old.term)
            }
        }
        var impossible = patient { 1 }
        impossible.interval = .zero
        let error = #expect(throws: ElectionError.self) { try election.changeHealthCheck(to: impossible) }
        #expect(error?.message.contains("interval") == true)
        #expect(throws: ElectionError.self) { try unchecked.changeHealthCheck(to: patient { 1 }) }
    }

    @Test func aCheckThatNeverReturnsDelaysNothingButCountsAsFailed() async throws {
        let never = Gate()
        let election = try harness.service("first") { $0.healthCheck = patient { 1 } }
        try await harness.steadily {
            try await withElection(election) { election in
                _ = try await election.waitForLeadership()
                var events = election.events.makeAsyncIterator()
                let hanging = HealthCheck {
                    await never.waitStubbornly()
                    return 1
                }
                try election.changeHealthCheck(to: hanging)
                // The lease is renewed all the while: leadership ends for this reason and no other.
                _ = try await events.next(.renewed)
                #expect(try await events.next(.lost).reason == .unhealthy)
            }
        }
        never.open()
    }

    @Test func aCheckThatBlocksItsThreadDelaysNothingButCountsAsFailed() async throws {
        var ends: [Int32] = [0, 0]
        try #require(pipe(&ends) == 0)
        let (reading, writing) = (ends[0], ends[1])
        defer {
            close(writing)
            close(reading)
        }
        let election = try harness.service("first") { $0.healthCheck = patient { 1 } }
        try await harness.steadily {
            try await withElection(election) { election in
                _ = try await election.waitForLeadership()
                var events = election.events.makeAsyncIterator()
                let blocking = HealthCheck {
                    var byte: UInt8 = 0
                    read(reading, &byte, 1)
                    return 1
                }
                try election.changeHealthCheck(to: blocking)
                _ = try await events.next(.renewed)
                #expect(try await events.next(.lost).reason == .unhealthy)
                // It goes on: the thread is not the engine's.
                write(writing, "abcdefgh", 8)
                try election.changeHealthCheck(to: patient { 1 })
                _ = try await election.waitForLeadership()
            }
        }
    }

    /// A check that never fails by its time: the test's time goes on while a thread wakes up.
    private func patient(_ check: @escaping @Sendable () async throws -> HealthCheck.Score) -> HealthCheck {
        var check = HealthCheck(check)
        check.timeout = .seconds(3600)
        return check
    }

    @Test func aCandidateThatWasNeverWellNeverCampaigns() async throws {
        struct Unwell: Error {}
        let election = try harness.service("first") { $0.healthCheck = HealthCheck { throw Unwell() } }
        let other = try harness.service("second")
        try await harness.steadily {
            // It is said once.
            var events = election.events.makeAsyncIterator()
            try await withElection(election) { election in
                #expect(try await events.next(.error).error?.code == .unhealthy)
                try await withElection(other) { other in
                    _ = try await other.waitForLeadership()
                    #expect(try await election.waitForLeader().id == "second")
                }
            }
        }
    }
}
