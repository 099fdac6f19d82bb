// SPDX-License-Identifier: MIT

internal import Synchronization

extension ElectionService {
    /// Runs `body` exactly while this process leads, in each term anew.
    ///
    /// Waits for leadership, runs the body in a child task, cancels it when the term has to end, and waits for it. A
    /// lease that is given back on purpose is renewed until the body has returned, so that its successor never
    /// overlaps with it; a lease that could not be renewed ends without waiting, and then only ``Leadership/term`` as a
    /// fencing token keeps out what a body writes that ignores its cancellation. A body that returns before its term
    /// ends is run again in the next term.
    ///
    /// Returns when the service stops, or its service group shuts down.
    ///
    /// - Parameter body: the work; it must end soon after its task is cancelled.
    /// - Throws: what the body throws while its term lasts, and `CancellationError` if the calling task is cancelled.
    public nonisolated func whileLeader(
        _ body: @escaping @Sendable (Leadership) async throws -> Void
    ) async throws {
        let gate = WorkGate(subscription: board.changes.subscribe(ChangeBuffer()))
        gate.subscription.push(board.state)
        try await withShutdownHook {
            var lastTerm: Int64?
            while await gate.subscription.next() != nil {
                guard let leadership, leadership.term != lastTerm else { continue }
                lastTerm = leadership.term
                if case .failure(let error) = await work(in: leadership, gate: gate, body)?.result { throw error }
            }
            try Task.checkCancellation()
        } onShutdown: {
            gate.close()
        }
    }

    /// Runs `body` once if this process leads now; nil if it does not.
    ///
    /// The body is cancelled when the term has to end, and always waited for.
    ///
    /// - Throws: what the body throws; ``ElectionError/Code/leaseLost`` if the term's end cancelled it.
    @discardableResult
    public nonisolated func runIfLeader<Result: Sendable>(
        _ body: @escaping @Sendable (Leadership) async throws -> Result
    ) async throws -> Result? {
        guard let leadership else { return nil }
        return try await run(in: leadership, body)
    }

    /// The leadership of this process, as soon as it has it.
    ///
    /// - Throws: ``ElectionError/Code/stopped`` if the service stops before, `CancellationError` if the task is
    ///   cancelled.
    public nonisolated func waitForLeadership() async throws -> Leadership {
        for await _ in changes {
            if let leadership { return leadership }
        }
        throw endOfWaiting("leadership")
    }

    /// Whoever leads, as soon as somebody is known to.
    ///
    /// - Throws: ``ElectionError/Code/stopped`` if the service stops before, `CancellationError` if the task is
    ///   cancelled.
    public nonisolated func waitForLeader() async throws -> Leader {
        for await change in changes {
            if let leader = change.leader { return leader }
        }
        throw endOfWaiting("a leader")
    }

    private nonisolated func endOfWaiting(_ what: String) -> any Error {
        if Task.isCancelled { return CancellationError() }
        return ElectionError(.stopped, "the service stopped before there was \(what)", group: group.name)
    }

    /// As ``runIfLeader(_:)``, in a given term; nil if it has ended before the body began.
    nonisolated func run<Result: Sendable>(
        in leadership: Leadership,
        _ body: @escaping @Sendable (Leadership) async throws -> Result
    ) async throws -> Result? {
        guard let outcome = await work(in: leadership, gate: nil, body) else { return nil }
        if case .failure(let error) = outcome.result, error is CancellationError, outcome.termEnded, !Task.isCancelled {
            throw ElectionError(
                .leaseLost,
                "term \(leadership.term) ended while its work was running; the work was cancelled",
                group: group.name
            )
        }
        return try outcome.result.get()
    }

    private struct TermEnded: Error {}

    /// Runs a body in a child task that the engine itself cancels when the term has to end, and waits for it.
    ///
    /// - Returns: nil if the term had ended before the body could begin. For a ``whileLeader(_:)`` that was cancelled
    ///   with its term, the `CancellationError` is not a failure.
    private nonisolated func work<Value: Sendable>(
        in leadership: Leadership,
        gate: WorkGate?,
        _ body: @escaping @Sendable (Leadership) async throws -> Value
    ) async -> (result: Result<Value, any Error>, termEnded: Bool)? {
        await workChanged(by: 1)
        let signal = WorkSignal()
        guard board.watch(term: leadership.term, signal), gate?.open(signal) ?? true else {
            await workChanged(by: -1)
            return nil
        }
        let outcome = WorkOutcome<Value>()
        let surroundings = board.witnesses.surroundings
        // A child of a discarding group that throws cancels its siblings there and then, from whatever thread it runs
        // on: from the engine's, which no blocked pool can hold up.
        try? await withThrowingDiscardingTaskGroup { group in
            group.addTask(executorPreference: executor) {
                await signal.wait()
                if outcome.endTerm() { throw TermEnded() }
            }
            group.addTask {
                let result: Result<Value, any Error>
                do {
                    let value =
                        if let surroundings {
                            try await surroundings.run(in: leadership) { try await body(leadership) }
                        } else {
                            try await body(leadership)
                        }
                    result = .success(value)
                } catch {
                    result = .failure(error)
                }
                outcome.finish(result)
                signal.fire()
            }
        }
        gate?.shut()
        board.unwatch(signal)
        await workChanged(by: -1)
        guard let (result, hasEnded) = outcome.value else { return nil }
        if gate != nil, hasEnded, case .failure(let error) = result, error is CancellationError { return nil }
        return (result, hasEnded)
    }

    private func workChanged(by change: Int) {
        handle { $0.workChanged(by: change, at: $1) }
        if machine.activeWork == 0 { board.health.workEnded() }
    }
}

/// How a body ended, and whether its term had to end before it.
private final class WorkOutcome<Value: Sendable>: Sendable {
    private let state = Mutex<(result: Result<Value, any Error>?, termEnded: Bool)>((nil, false))

    /// The term must end; false if the body has ended already.
    func endTerm() -> Bool {
        state.withLock { state in
            state.termEnded = state.result == nil
            return state.termEnded
        }
    }

    func finish(_ result: Result<Value, any Error>) {
        state.withLock { $0.result = result }
    }

    var value: (result: Result<Value, any Error>, termEnded: Bool)? {
        state.withLock { state in state.result.map { ($0, state.termEnded) } }
    }
}

/// Lets a service group's shutdown end a `whileLeader` that waits for a term or runs its body.
private final class WorkGate: Sendable {
    let subscription: Subscription<ChangeBuffer>
    private let state = Mutex<(isClosed: Bool, work: WorkSignal?)>((false, nil))

    init(subscription: Subscription<ChangeBuffer>) {
        self.subscription = subscription
    }

    /// False if no work may begin any more.
    func open(_ signal: WorkSignal) -> Bool {
        state.withLock { state in
            guard !state.isClosed else { return false }
            state.work = signal
            return true
        }
    }

    func shut() {
        state.withLock { $0.work = nil }
    }

    func close() {
        let work = state.withLock { state in
            state.isClosed = true
            return state.work
        }
        work?.fire()
        subscription.finish()
    }
}
