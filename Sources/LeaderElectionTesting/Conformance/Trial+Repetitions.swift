// SPDX-License-Identifier: MIT

internal import LeaderElection
internal import Synchronization

extension Trial {
    /// How often questions of a trial were asked anew.
    final class Repetitions: Sendable {
        private static let maximum = 2
        private let count = Atomic<Int>(0)

        /// Whether one more is allowed.
        func begin() -> Bool { count.add(1, ordering: .relaxed).newValue <= Self.maximum }
    }

    /// The answers to a call; where the outcome is unknown, the same is asked anew, as the engine would do.
    ///
    /// A server that stalls for a moment, or a connection that is made again, breaks no promise. A store that does not
    /// know again and again does: two repetitions are allowed in a trial.
    func answers<Answer>(
        unless isUnknown: (Answer) -> Bool,
        _ ask: () async throws -> [Answer]
    ) async throws -> (answers: [Answer], isRepeated: Bool) {
        var isRepeated = false
        while true {
            let answers = try await ask()
            guard answers.contains(where: isUnknown), repetitions.begin() else { return (answers, isRepeated) }
            isRepeated = true
            if fixture.passTime != nil { try await pass(0.05, of: fixture.leaseDuration) }
        }
    }

    /// The one answer to a call with one request.
    func answer<Answer>(
        unless isUnknown: (Answer) -> Bool,
        _ ask: () async throws -> [Answer]
    ) async throws -> (answer: Answer, isRepeated: Bool) {
        let (answers, isRepeated) = try await answers(unless: isUnknown, ask)
        return (try single(answers), isRepeated)
    }

    func answer(_ provider: any ElectionProvider, _ request: AcquireRequest) async throws -> AcquireAnswer {
        try await answer(unless: { if case .unknown = $0 { true } else { false } }) {
            try await provider.acquire([request])
        }.answer
    }

    func answer(_ provider: any ElectionProvider, _ request: RenewRequest) async throws -> RenewAnswer {
        try await answer(unless: { if case .unknown = $0 { true } else { false } }) {
            try await provider.renew([request])
        }.answer
    }

    /// - Returns: also whether an earlier one may have done already what this one was to do.
    func answer(
        _ provider: any ElectionProvider,
        _ request: ReleaseRequest
    ) async throws -> (answer: ReleaseAnswer, isRepeated: Bool) {
        try await answer(unless: { if case .unknown = $0 { true } else { false } }) {
            try await provider.release([request])
        }
    }

    /// - Returns: also whether an earlier one may have done already what this one was to do.
    func answer(
        _ provider: any TransferringProvider,
        _ request: TransferRequest
    ) async throws -> (answer: TransferAnswer, isRepeated: Bool) {
        try await answer(unless: { if case .unknown = $0 { true } else { false } }) {
            try await provider.transfer([request])
        }
    }
}
