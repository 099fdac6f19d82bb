// SPDX-License-Identifier: MIT

/// Runs an election for as long as `body` does: for scripts and tests.
///
/// Runs `election` beside the body, stops it when the body has ended, and waits until the lease was given back.
///
/// - Throws: what the body throws, and ``ElectionError/Code/alreadyRun``.
@discardableResult
public func withElection<Result>(
    _ election: ElectionService,
    _ body: (ElectionService) async throws -> Result
) async throws -> Result {
    try await withThrowingDiscardingTaskGroup { group in
        group.addTask { try await election.run() }
        defer { election.stop() }
        return try await body(election)
    }
}
