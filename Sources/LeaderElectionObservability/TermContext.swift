// SPDX-License-Identifier: MIT

#if Observability
internal import LeaderElection
internal import Synchronization
internal import Tracing

/// Hands the span of a term to the work of that term, so that what the work traces nests in it.
///
/// The span is made on the observer's thread, because a tracer may block. Work begins without it if that takes longer
/// than a tenth of a second, and from then on it does not wait at all until the tracer has come back.
final class TermContext: WorkSurroundings {
    private static let patience = Duration.milliseconds(100)

    private struct State {
        var term: Int64?
        var context: ServiceContext?
        var isLate = false
        var lastWaiter: UInt64 = 0
        var waiting: [UInt64: (term: Int64, continuation: CheckedContinuation<ServiceContext?, Never>)] = [:]
    }

    private let clock: any ElectionClock
    private let state = Mutex(State())

    init(clock: any ElectionClock) { self.clock = clock }

    func run<Value: Sendable>(
        in leadership: Leadership,
        _ body: @Sendable () async throws -> Value
    ) async throws -> Value {
        guard let context = await context(of: leadership.term) else { return try await body() }
        return try await ServiceContext.withValue(context) { try await body() }
    }

    // MARK: On the observer's thread

    func begin(_ term: Int64, _ context: ServiceContext) {
        let waiting = state.withLock { state in
            (state.term, state.context, state.isLate) = (term, context, false)
            defer { state.waiting = [:] }
            return Array(state.waiting.values)
        }
        for waiter in waiting { waiter.continuation.resume(returning: waiter.term == term ? context : nil) }
    }

    func end(_ term: Int64) {
        state.withLock { state in
            if state.term == term { state.context = nil }
        }
    }

    // MARK: In the task of the work

    private func context(of term: Int64) async -> ServiceContext? {
        let number = state.withLock { state in
            state.lastWaiter += 1
            return state.lastWaiter
        }
        let timer = clock.schedule(at: clock.now + Self.patience) { [weak self] in self?.giveUp(number, isLate: true) }
        defer { timer.cancel() }
        return await withTaskCancellationHandler {
            await withCheckedContinuation { continuation in
                let answer = state.withLock { state -> ServiceContext?? in
                    if let known = state.term, known >= term { return .some(known == term ? state.context : nil) }
                    if state.isLate || Task.isCancelled { return .some(nil) }
                    state.waiting[number] = (term, continuation)
                    return .none
                }
                if let answer { continuation.resume(returning: answer) }
            }
        } onCancel: {
            giveUp(number, isLate: false)
        }
    }

    private func giveUp(_ number: UInt64, isLate: Bool) {
        let waiter = state.withLock { state in
            let waiter = state.waiting.removeValue(forKey: number)
            if waiter != nil, isLate { state.isLate = true }
            return waiter
        }
        waiter?.continuation.resume(returning: nil)
    }
}
#endif
