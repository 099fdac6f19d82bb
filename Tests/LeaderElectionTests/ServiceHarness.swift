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
