// SPDX-License-Identifier: MIT

import LeaderElection
import LeaderElectionTesting
import Testing

/// Services over one in-memory store under a clock that the test moves.
struct ServiceHarness {
    let clock = ManualClock()
    let store: InMemoryElectionStore

    init() {
        store = InMemoryElectionStore(clock: clock)
    }

    /// A provider of its own for each candidate, as if each were a process.
    func provider() -> InMemoryElectionProvider { InMemoryElectionProvider(store: store) }

    func service(
        _ candidate: String,
        group: String = "group",
        provider: (any ElectionProvider)? = nil,
        _ adjust: (inout ElectionConfiguration) -> Void = { _ in }
    ) throws -> ElectionService {
        var configuration = ElectionConfiguration(candidate: candidate)
        adjust(&configuration)
        return try ElectionService(
            group,
            provider: provider ?? self.provider(),
            configuration: configuration,
            clock: clock,
            audit: nil
        )
    }
}

extension ServiceHarness {
    /// As ``withElection(_:_:)``, but lets time pass while the service stops.
    ///
    /// A test that moved time while the engine was at work may have made a call look late; the engine then asks again
    /// after a while, and that while has to pass.
    @discardableResult
    func during<Result>(
        _ election: ElectionService,
        _ body: (ElectionService) async throws -> Result
    ) async throws -> Result {
        let running = Task { try await election.run() }
        let result: Swift.Result<Result, any Error>
        do { result = .success(try await body(election)) } catch { result = .failure(error) }
        election.stop()
        let passing = Task { try await clock.passTime() }
        defer { passing.cancel() }
        try await running.value
        return try result.get()
    }
}

extension ServiceHarness {
    /// Lets time pass while `body` runs: a little after each turn of the engine, so that no call ever looks late.
    func steadily<Result: Sendable>(_ body: @Sendable () async throws -> Result) async throws -> Result {
        let clock = clock
        let turn = try service("turn")
        let passing = Task {
            while !Task.isCancelled {
                _ = try await turn.candidates()
                clock.advance(by: .milliseconds(10))
            }
        }
        defer { passing.cancel() }
        return try await body()
    }
}

extension ManualClock {
    /// Goes from timer to timer until the task is cancelled.
    func passTime() async throws {
        while true {
            let mark = timersSet
            if let next = nextDeadline { advance(to: next) } else { try await waitForTimer(after: mark) }
            try Task.checkCancellation()
            // The service that is to stop needs a thread of the pool, too.
            await Task.yield()
        }
    }
}

extension ElectionEvents.Iterator {
    /// The next event of the given kind.
    mutating func next(_ kind: ElectionEvent.Kind) async throws -> ElectionEvent {
        while let event = await next() {
            if event.kind == kind { return event }
        }
        throw StreamEnded(waitingFor: kind)
    }
}

struct StreamEnded: Error {
    let waitingFor: ElectionEvent.Kind
}

/// Lets a test wait for something to happen in a body, and a body for the test.
final class Gate: Sendable {
    private let stream: AsyncStream<Void>
    private let continuation: AsyncStream<Void>.Continuation

    init() {
        (stream, continuation) = AsyncStream.makeStream()
    }

    func open() { continuation.finish() }

    /// Returns when opened, or when the task is cancelled.
    func wait() async {
        for await _ in stream {}
    }

    /// Returns when opened, even if the task is cancelled.
    func waitStubbornly() async {
        let stream = stream
        await Task { for await _ in stream {} }.value
    }
}
