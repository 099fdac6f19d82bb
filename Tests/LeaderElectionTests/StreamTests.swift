// SPDX-License-Identifier: MIT

import LeaderElectionTesting
import Testing

@testable import LeaderElection

@Suite(.timeLimit(.minutes(2))) struct StreamTests {
    let harness = ServiceHarness()

    @Test func firstChangeIsThePresentState() async throws {
        let election = try harness.service("alone")
        try await harness.during(election) { election in
            let leadership = try await election.waitForLeadership()
            var changes = election.changes.makeAsyncIterator()
            let first = try #require(await changes.next())
            #expect(first.becameLeader && first.term == leadership.term)
            #expect(first.reason == .initial && first.skipped == 0)
        }
    }

    @Test func slowReaderStillLearnsThatItsTermEnded() async throws {
        let election = try harness.service("alone")
        try await harness.during(election) { election in
            let old = try await election.waitForLeadership()
            var changes = election.changes.makeAsyncIterator()
            _ = await changes.next()
            var events = election.events.makeAsyncIterator()
            harness.clock.suspend(for: .seconds(20))
            _ = try await events.next(.acquired)
            let change = try #require(await changes.next())
            #expect(change.lostLeadership)
            #expect(change.previousTerm == old.term)
            #expect(change.skipped >= 1 || change.term == nil)
        }
    }

    @Test func streamsEndWhenTheServiceStops() async throws {
        let election = try harness.service("alone")
        let changes = Task { await election.changes.reduce(into: 0) { count, _ in count += 1 } }
        let events = Task { await election.events.reduce(into: [ElectionEvent.Kind]()) { $0.append($1.kind) } }
        try await harness.during(election) { _ = try await $0.waitForLeadership() }
        #expect(await changes.value >= 1)
        let kinds = await events.value
        #expect(kinds.isEmpty || kinds.last == .stopped)
        for await _ in election.changes { Issue.record("a stream of a stopped service does not end"); break }
    }

    @Test func changesOfSomeKindsLeaveOthersOut() async throws {
        let (first, second) = (try harness.service("first"), try harness.service("second"))
        try await harness.during(first) { first in
            _ = try await first.waitForLeadership()
            var lost = second.changes(of: .acquired).makeAsyncIterator()
            try await harness.during(second) { second in
                _ = try await second.waitForLeader()
                await first.resign()
                let change = try #require(await lost.next())
                #expect(change.becameLeader)
            }
        }
    }

    @Test func takeUntilLeaderEndsWithTheChangeThatWon() async throws {
        let election = try harness.service("alone")
        let taken = Task {
            var changes: [LeadershipChange] = []
            for await change in election.changes.takeUntilLeader() { changes.append(change) }
            return changes
        }
        try await harness.during(election) { election in
            let leadership = try await election.waitForLeadership()
            let changes = await taken.value
            #expect(changes.last?.term == leadership.term)
            #expect(changes.dropLast().allSatisfy { !$0.isLeader })
        }
    }

    @Test func changesWhileLeaderEndWithTheTerm() async throws {
        let election = try harness.service("alone")
        try await harness.during(election) { election in
            var seen = election.changes.whileLeader().makeAsyncIterator()
            let leadership = try await election.waitForLeadership()
            let first = await seen.next(isolation: nil)
            #expect(first?.term == leadership.term)
            harness.clock.suspend(for: .seconds(20))
            while let change = await seen.next(isolation: nil) { #expect(change.term == leadership.term) }
            #expect(!leadership.isValid)
        }
    }

    @Test func elementsPassOnlyWhileLeadingAndNoneIsLost() async throws {
        let election = try harness.service("alone")
        let (jobs, source) = AsyncStream.makeStream(of: Int.self)
        for job in 1...3 { source.yield(job) }
        source.finish()
        var done: [Int] = []
        try await harness.during(election) { election in
            for await job in jobs.whileLeader(election) {
                #expect(election.isLeader)
                done.append(job)
                if job == 1 {
                    harness.clock.suspend(for: .seconds(20))
                    #expect(!election.isLeader || done == [1])
                }
            }
        }
        #expect(done == [1, 2, 3])
    }

    @Test func transitionsAreToldInOrder() async throws {
        let election = try harness.service("alone")
        let (log, continuation) = AsyncStream.makeStream(of: String.self)
        let listener = Task {
            try await election.changes.onTransition(
                acquired: { continuation.yield("acquired \($0.term ?? 0)") },
                lost: { continuation.yield("lost \($0.previousTerm ?? 0)") }
            )
            continuation.finish()
        }
        let term = try await harness.during(election) { election in
            let term = try await election.waitForLeadership().term
            var iterator = log.makeAsyncIterator()
            #expect(await iterator.next() == "acquired \(term)")
            return term
        }
        try await listener.value
        var rest: [String] = []
        for await line in log { rest.append(line) }
        #expect(rest == ["lost \(term)"])
    }

    @Test func readerThatNeverReadsHoldsOneState() {
        var buffer = ChangeBuffer()
        let election = try? harness.service("alone")
        guard let state = election?.board.state else { return }
        for version in 1...10_000 {
            var next = state
            next.version = UInt64(version)
            buffer.push(next)
        }
        #expect(buffer.pop()?.skipped == 9_999)
        #expect(buffer.pop() == nil)
    }

    @Test func eventsOfSeveralServicesComeInOneStreamThatEndsWithTheLast() async throws {
        let (first, second) = (try harness.service("first", group: "one"), try harness.service("second", group: "two"))
        var events = ElectionEvents(of: [first, second]).makeAsyncIterator()
        var told: [String] = []
        try await harness.during(second) { second in
            _ = try await second.waitForLeadership()
            try await harness.during(first) { _ = try await $0.waitForLeadership() }
            // The first has stopped, and the stream goes on.
            while let event = await events.next() {
                told.append("\(event.group) \(event.kind)")
                if event.kind == .stopped { break }
            }
        }
        while let event = await events.next() { told.append("\(event.group) \(event.kind)") }
        for group in ["one", "two"] {
            let ofGroup = told.filter { $0.hasPrefix(group) }
            #expect(ofGroup.starts(with: ["\(group) ready", "\(group) acquired"]))
            #expect(ofGroup.last == "\(group) stopped")
        }
        #expect(told.last == "two stopped")
        var nothing = ElectionEvents(of: []).makeAsyncIterator()
        #expect(await nothing.next() == nil)
    }

    private func event(_ kind: ElectionEvent.Kind) -> ElectionEvent? {
        guard let group = try? ElectionGroup("group") else { return nil }
        return ElectionEvent(
            kind: kind,
            group: group,
            candidate: "me",
            term: 1,
            leader: nil,
            reason: nil,
            error: nil,
            instant: .init(nanoseconds: 0),
            validUntil: nil,
            retryAt: nil
        )
    }

    @Test func eventsThatNobodyWantsTakeNoPlace() {
        var buffer = EventBuffer(limit: 2) { $0.kind != .renewed }
        for kind in [.acquired, .renewed, .jeopardy, .renewed] as [ElectionEvent.Kind] {
            event(kind).map { buffer.push($0) }
        }
        #expect(buffer.pop()?.kind == .acquired)
        #expect(buffer.pop()?.kind == .jeopardy)
        #expect(buffer.pop() == nil)
    }

    @Test func eventsKeepWhatMattersWhenAReaderFallsBehind() {
        var buffer = EventBuffer()
        if let acquired = event(.acquired) { buffer.push(acquired) }
        for _ in 0..<1000 { if let renewed = event(.renewed) { buffer.push(renewed) } }
        if let lost = event(.lost) { buffer.push(lost) }
        var kinds: [ElectionEvent.Kind] = []
        while let event = buffer.pop() { kinds.append(event.kind) }
        #expect(kinds.count == 64)
        #expect(kinds.first == .acquired && kinds.last == .lost)
    }
}
