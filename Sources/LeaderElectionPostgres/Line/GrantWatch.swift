// SPDX-License-Identifier: MIT
#if Postgres
internal import LeaderElection

/// Hears of the grants of one group, for the moment after its lease was given back.
actor GrantWatch {
    private var highestTerm = Int64.min
    private var waiting: (term: Int64, timer: SerialThread.Timer, continuation: CheckedContinuation<Void, Never>)?

    nonisolated var unownedExecutor: UnownedSerialExecutor { SerialThread.engine.asUnownedSerialExecutor() }

    var isWaiting: Bool { waiting != nil }

    func heard(term: Int64) {
        highestTerm = max(highestTerm, term)
        if let waiting, waiting.term < highestTerm { end() }
    }

    /// Waits for a grant after this term: until one is heard of, the time is up, or the task is cancelled.
    ///
    /// - Returns: whether one was heard of.
    func hears(ofGrantAfter term: Int64, within limit: Duration) async -> Bool {
        await withTaskCancellationHandler {
            await withCheckedContinuation { continuation in
                // Both may have come before there was a wait to end, also since this was called.
                guard highestTerm <= term, !Task.isCancelled else { return continuation.resume() }
                let timer = SerialThread.engine.schedule(at: .now + limit) { [weak self] in
                    self?.assumeIsolated { $0.end() }
                }
                waiting = (term, timer, continuation)
            }
        } onCancel: {
            SerialThread.engine.executeNext { [weak self] in
                guard let self else { return }
                self.assumeIsolated { $0.end() }
            }
        }
        return highestTerm > term
    }

    private func end() {
        guard let waiting else { return }
        self.waiting = nil
        waiting.timer.cancel()
        waiting.continuation.resume()
    }
}
#endif
