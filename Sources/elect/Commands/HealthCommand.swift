// SPDX-License-Identifier: MIT

internal import LeaderElection

/// The command of `--health-check`; one run of it answers all groups of the process that ask while it lasts.
actor HealthCommand {
    private let command: HelperCommand
    private let timeout: Duration
    private let environment: [String: String]
    private var isRunning = false
    private var waiting: [CheckedContinuation<Void, any Error>] = []

    init(_ command: HelperCommand, timeout: Duration, candidate: String) {
        self.command = command
        self.timeout = timeout
        environment = ["ELECT_CANDIDATE": candidate]
    }

    /// Well if the command ends with 0.
    func check() async throws -> HealthCheck.Score {
        // It always ends: its guardian sees to that.
        if isRunning {
            try await withCheckedThrowingContinuation { waiting.append($0) }
            return 1
        }
        isRunning = true
        let result: Result<Void, any Error>
        do {
            try await command.run(within: timeout, environment: environment)
            result = .success(())
        } catch {
            result = .failure(error)
        }
        isRunning = false
        for other in waiting { other.resume(with: result) }
        waiting = []
        try result.get()
        return 1
    }
}
