// SPDX-License-Identifier: MIT

#if Observability
import Dispatch
import LeaderElection
import LeaderElectionTesting
import Metrics
import Synchronization
import Testing

/// Services over one in-memory store under a clock that the test moves.
struct Bench {
    let clock = ManualClock()
    let store: InMemoryElectionStore

    init() { store = InMemoryElectionStore(clock: clock) }

    func service(
        _ candidate: String,
        group: String = "group",
        rules: [FaultRule] = []
    ) throws -> (election: ElectionService, provider: FaultyProvider) {
        let wrapped = InMemoryElectionProvider(store: store)
        let provider = FaultyProvider(wrapping: wrapped, clock: clock, rules: rules)
        let configuration = ElectionConfiguration(candidate: candidate)
        return (
            try ElectionService(group, provider: provider, configuration: configuration, clock: clock), provider
        )
    }

    /// Runs a service beside `body`, and lets time pass while it stops.
    func during(_ election: ElectionService, _ body: () async throws -> Void) async throws {
        let running = Task { try await election.run() }
        let result: Result<Void, any Error>
        do { result = .success(try await body()) } catch { result = .failure(error) }
        election.stop()
        let passing = Task { [clock] in
            while !Task.isCancelled {
                let mark = clock.timersSet
                if let next = clock.nextDeadline {
                    clock.advance(to: next)
                } else {
                    try await clock.waitForTimer(after: mark)
                }
                await Task.yield()
            }
        }
        defer { passing.cancel() }
        try await running.value
        try result.get()
    }

    /// Goes on until the lease was renewed once more.
    ///
    /// In one step: going from timer to timer, the time-out of a renewal could strike before its answer was heard.
    func renew(_ events: inout ElectionEvents.Iterator) async throws -> ElectionEvent {
        clock.suspend(for: .milliseconds(3200))
        return try await events.next(.renewed)
    }
}

struct StreamEnded: Error {}

extension ElectionEvents.Iterator {
    mutating func next(_ kind: ElectionEvent.Kind) async throws -> ElectionEvent {
        while let event = await next() {
            if event.kind == kind { return event }
        }
        throw StreamEnded()
    }
}

/// Something to be called into that does not come back before it is told to.
final class Blockade: Sendable {
    private let semaphore = DispatchSemaphore(value: 0)
    private let isOpen = Mutex(false)
    private let entered: AsyncStream<Void>
    private let continuation: AsyncStream<Void>.Continuation

    init() { (entered, continuation) = AsyncStream.makeStream() }

    /// Blocks the calling thread.
    func pass() {
        if isOpen.withLock({ $0 }) { return }
        continuation.finish()
        semaphore.wait()
    }

    /// Returns once somebody is blocked.
    func waitUntilSomebodyIsBlocked() async {
        for await _ in entered {}
    }

    func open() {
        isOpen.withLock { $0 = true }
        semaphore.signal()
    }
}

/// A metrics backend that blocks whoever makes a metric.
final class BlockingMetrics: MetricsFactory {
    let blockade = Blockade()
    private let wrapped: any MetricsFactory

    init(wrapping wrapped: any MetricsFactory) { self.wrapped = wrapped }

    func makeCounter(label: String, dimensions: [(String, String)]) -> any CounterHandler {
        blockade.pass()
        return wrapped.makeCounter(label: label, dimensions: dimensions)
    }

    func makeMeter(label: String, dimensions: [(String, String)]) -> any MeterHandler {
        blockade.pass()
        return wrapped.makeMeter(label: label, dimensions: dimensions)
    }

    func makeRecorder(label: String, dimensions: [(String, String)], aggregate: Bool) -> any RecorderHandler {
        blockade.pass()
        return wrapped.makeRecorder(label: label, dimensions: dimensions, aggregate: aggregate)
    }

    func makeTimer(label: String, dimensions: [(String, String)]) -> any TimerHandler {
        blockade.pass()
        return wrapped.makeTimer(label: label, dimensions: dimensions)
    }

    func destroyCounter(_ handler: any CounterHandler) { wrapped.destroyCounter(handler) }
    func destroyMeter(_ handler: any MeterHandler) { wrapped.destroyMeter(handler) }
    func destroyRecorder(_ handler: any RecorderHandler) { wrapped.destroyRecorder(handler) }
    func destroyTimer(_ handler: any TimerHandler) { wrapped.destroyTimer(handler) }
}
#endif
