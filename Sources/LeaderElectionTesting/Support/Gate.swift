// SPDX-License-Identifier: MIT

internal import Synchronization

/// A point where one task waits until it is let through, once.
///
/// Its continuation is resumed exactly once: by whoever opens or fails the gate, or by the cancellation of the task.
final class Gate: Sendable {
    private enum State {
        case closed
        case waiting(CheckedContinuation<Void, any Error>)
        case passed(Result<Void, any Error>)
    }

    private let state = Mutex(State.closed)

    func open() { settle(.success(())) }

    func fail(_ error: any Error) { settle(.failure(error)) }

    /// Returns when the gate is opened; at once if it was already.
    ///
    /// - Throws: what the gate was failed with, or `CancellationError`.
    func wait(ignoringCancellation: Bool = false) async throws {
        guard !ignoringCancellation else { return try await suspend() }
        try await withTaskCancellationHandler {
            try await suspend()
        } onCancel: {
            fail(CancellationError())
        }
    }

    private func suspend() async throws {
        try await withCheckedThrowingContinuation { continuation in
            let result: Result<Void, any Error>? = state.withLock { state in
                switch state {
                case .closed:
                    state = .waiting(continuation)
                    return nil
                case .waiting:
                    return .failure(ElectionGateMisuse())
                case .passed(let result):
                    return result
                }
            }
            if let result { continuation.resume(with: result) }
        }
    }

    private func settle(_ result: Result<Void, any Error>) {
        let continuation: CheckedContinuation<Void, any Error>? = state.withLock { state in
            switch state {
            case .closed:
                state = .passed(result)
                return nil
            case .waiting(let continuation):
                state = .passed(result)
                return continuation
            case .passed:
                return nil
            }
        }
        continuation?.resume(with: result)
    }

    private struct ElectionGateMisuse: Error {}
}
