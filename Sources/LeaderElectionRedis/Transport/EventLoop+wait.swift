// SPDX-License-Identifier: MIT
#if Redis
internal import LeaderElection
internal import NIOCore

extension EventLoop {
    /// Waits for what `start` begins on the event loop, but no longer than until the deadline; what it began goes on.
    func wait<Value: Sendable>(
        until deadline: ContinuousClock.Instant,
        _ start: @escaping @Sendable () -> EventLoopFuture<Value>
    ) async throws -> Value {
        let promise = makePromise(of: Value.self)
        let left = TimeAmount(max(.zero, deadline - .now))
        execute {
            let timer = self.scheduleTask(in: left) {
                promise.fail(ElectionError(.timedOut, "Redis did not answer in time; check that the host is up"))
            }
            start().whenComplete { result in
                timer.cancel()
                promise.completeWith(result)
            }
        }
        return try await withTaskCancellationHandler {
            try await promise.futureResult.get()
        } onCancel: {
            promise.fail(CancellationError())
        }
    }
}
#endif
