// SPDX-License-Identifier: MIT
#if SQLite
internal import LeaderElection
internal import LeaderElectionTesting
internal import Testing

@testable internal import LeaderElectionSQLite

@Suite(.timeLimit(.minutes(1)))
struct ConformanceTests {
    @Test(
        arguments: ProviderConformance.cases(for: [
            .expiry, .remaining, .observedTakeover, .hints, .wipe, .notes, .quietNotes, .transfer,
        ])
    )
    func keepsThePromisesOfAProvider(_ promise: ProviderConformance.Case) async throws {
        let directory = try TemporaryDirectory()
        let clock = StoppedClock()
        try await promise.run(
            ProviderConformance(
                makeProvider: { try directory.provider(clock: clock) },
                passTime: { clock.advance(by: $0) },
                wipe: {
                    let foreign = try SQLiteHandle(path: directory.database, createIfMissing: false)
                    try foreign.execute("DELETE FROM leader_election_lease")
                }
            )
        )
    }
}
#endif
