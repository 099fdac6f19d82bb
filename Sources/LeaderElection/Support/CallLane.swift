// SPDX-License-Identifier: MIT

/// The calls of one verb to one provider.
///
/// Whatever arrives while a call is under way goes out together in the next one, so that any number of groups costs
/// one round trip per renewal. Calls that do not come back are abandoned after their time-out and never hold up the
/// next one; how many of them may pile up is bounded.
package actor CallLane<Request: Sendable, Answer: Sendable> {
    package typealias Delivery = @Sendable (Answer) -> Void
    package typealias Call = @Sendable ([Request]) async throws -> [Answer]

    /// A full batch may leave while others are under way; anything smaller waits to be joined by more.
    private static var maximumCallsUnderWay: Int { 4 }
    /// Abandoned calls that still have not returned; beyond this the provider counts as stuck and is not called.
    private static var maximumAbandonedCalls: Int { 4 }

    private let executor: any ElectionExecutor
    private let caller: any TaskExecutor
    private let clock: any ElectionClock
    private let maximumBatch: Int
    private let call: Call
    private let unknown: @Sendable (any Error) -> Answer

    private struct Entry {
        let request: Request
        let timeout: Duration
        let expires: ElectionInstant
        let deliver: Delivery
    }

    /// A slice, so that the first batch of ten thousand is taken without moving the others.
    private var waiting: ArraySlice<Entry> = []
    private var isFlushScheduled = false
    private var callsUnderWay: Set<UInt64> = []
    private var abandonedCalls = 0
    private var lastCall: UInt64 = 0
    private var timers: [UInt64: any ElectionTimer] = [:]

    package nonisolated var unownedExecutor: UnownedSerialExecutor { executor.asUnownedSerialExecutor() }

    /// - Parameter caller: where calls run that may block; by default, on the executor of the answers.
    package init(
        executor: any ElectionExecutor,
        caller: (any TaskExecutor)? = nil,
        clock: any ElectionClock,
        maximumBatch: Int,
        unknown: @escaping @Sendable (any Error) -> Answer,
        call: @escaping Call
    ) {
        self.executor = executor
        self.caller = caller ?? executor
        self.clock = clock
        self.maximumBatch = max(1, maximumBatch)
        self.unknown = unknown
        self.call = call
    }

    /// Queues a request; its answer is delivered on the executor, perhaps long after the caller gave up on it.
    ///
    /// - Parameter isUrgent: goes out before anything else that is due, rather than with it.
    package func submit(
        _ request: Request,
        timeout: Duration,
        isUrgent: Bool = false,
        _ deliver: @escaping Delivery
    ) {
        let entry = Entry(request: request, timeout: timeout, expires: clock.now + timeout, deliver: deliver)
        // At once, if there is nothing to answer first: whoever submits is not ready for answers before it has returned.
        if isUrgent, waiting.isEmpty, callsUnderWay.isEmpty, abandonedCalls < Self.maximumAbandonedCalls {
            return send([entry])
        }
        waiting.append(entry)
        if isUrgent {
            executor.executeNext { self.assumeIsolated { $0.flush() } }
        } else {
            scheduleFlush()
        }
    }

    /// Sends at the end of this turn of the executor, so that everything due at one instant leaves together.
    private func scheduleFlush() {
        guard !isFlushScheduled else { return }
        isFlushScheduled = true
        executor.execute { self.assumeIsolated { $0.flush() } }
    }

    private func flush() {
        isFlushScheduled = false
        dropExpired()
        while !waiting.isEmpty,
            callsUnderWay.isEmpty
                || (waiting.count >= maximumBatch && callsUnderWay.count < Self.maximumCallsUnderWay)
        {
            let batch = waiting.prefix(maximumBatch)
            waiting = waiting.dropFirst(maximumBatch)
            guard abandonedCalls < Self.maximumAbandonedCalls else {
                let error = ElectionError(
                    .timedOut,
                    "\(abandonedCalls) calls to the store have not returned; it is not called again before one does"
                )
                for entry in batch { entry.deliver(unknown(error)) }
                continue
            }
            send(batch)
        }
        // The room that ten thousand requests took at once is given back.
        if waiting.isEmpty { waiting = [] }
    }

    /// What nobody waits for any more is not sent: applied so late, it could only do harm.
    private func dropExpired() {
        let now = clock.now
        guard waiting.contains(where: { $0.expires <= now }) else { return }
        let expired = waiting.filter { $0.expires <= now }
        waiting.removeAll { $0.expires <= now }
        let error = ElectionError(.timedOut, "earlier calls to the store took so long that this one was not made")
        for entry in expired { entry.deliver(unknown(error)) }
    }

    private func send(_ batch: ArraySlice<Entry>) {
        lastCall += 1
        let id = lastCall
        callsUnderWay.insert(id)
        let requests = batch.map(\.request)
        let deliveries = batch.map(\.deliver)
        // Who waits least decides: nobody's next call is to wait for one that it has given up.
        let timeout = batch.lazy.map(\.timeout).min() ?? .zero
        // The one place that starts a task outside the tree of `run()`. A task group would have to wait for a call
        // that never returns; leadership must end on time and `run()` must return all the same.
        let task = Task(executorPreference: caller) { [call, unknown] in
            let answers: [Answer]
            do {
                let given = try await call(requests)
                if given.count == requests.count {
                    answers = given
                } else {
                    let error = ElectionError(
                        .storeCorrupted,
                        "the provider gave \(given.count) answers to \(requests.count) requests; its author must mend it"
                    )
                    answers = requests.map { _ in unknown(error) }
                }
            } catch {
                // Only an abandoned call is cancelled; what matters to people is why.
                let reason: any Error = error is CancellationError ? Self.abandoned(after: timeout) : error
                answers = requests.map { _ in unknown(reason) }
            }
            await self.returned(id, answers, to: deliveries)
        }
        timers[id] = clock.schedule(at: clock.now + timeout) { [weak self, executor] in
            executor.execute {
                guard let self else { return }
                self.assumeIsolated { $0.abandon(id, task) }
            }
        }
    }

    private static func abandoned(after timeout: Duration) -> ElectionError {
        ElectionError(.timedOut, "a call took longer than \(timeout.text()) and was given up; its outcome is unknown")
    }

    private func returned(_ id: UInt64, _ answers: [Answer], to deliveries: [Delivery]) {
        if callsUnderWay.remove(id) == nil { abandonedCalls -= 1 }
        timers.removeValue(forKey: id)?.cancel()
        for (deliver, answer) in zip(deliveries, answers) { deliver(answer) }
        if !waiting.isEmpty { scheduleFlush() }
    }

    private func abandon(_ id: UInt64, _ task: Task<Void, Never>) {
        guard callsUnderWay.remove(id) != nil else { return }
        timers[id] = nil
        abandonedCalls += 1
        task.cancel()
        if !waiting.isEmpty { scheduleFlush() }
    }
}
