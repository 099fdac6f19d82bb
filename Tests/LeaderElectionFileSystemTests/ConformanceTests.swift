// SPDX-License-Identifier: MIT

internal import LeaderElection
internal import LeaderElectionTesting
internal import Testing

@testable internal import LeaderElectionFileSystem

#if os(Linux)
@Suite(.timeLimit(.minutes(1)))
struct ConformanceTests {
    @Test(
        arguments: ProviderConformance.cases(for: [.hints, .endsWithProvider, .notes, .quietNotes, .transfer])
    )
    func keepsThePromisesOfAProvider(_ promise: ProviderConformance.Case) async throws {
        let directory = try TemporaryDirectory()
        // No time ends a lease, but notes and reservations run out.
        let clock = ManualClock()
        try await promise.run(
            ProviderConformance(
                makeProvider: { directory.provider(clock: clock) },
                passTime: { duration in
                    clock.advance(by: duration)
                    await Task.yield()
                }
            )
        )
    }
}
#endif
