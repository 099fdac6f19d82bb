// SPDX-License-Identifier: MIT
#if Postgres
internal import IntegrationSupport
internal import LeaderElection
internal import LeaderElectionPostgres
internal import LeaderElectionTesting
internal import Testing

@Suite(.serialized, .timeLimit(.minutes(5)))
struct ConformanceTests {
    static let capabilities: ProviderConformance.Capabilities = [
        .expiry, .remaining, .observedTakeover, .hints, .wipe, .everyGroupName, .notes, .quietNotes, .transfer,
    ]

    @Test(.needs(.postgres), arguments: ProviderConformance.cases(for: capabilities))
    func keepsThePromisesOfAProvider(_ promise: ProviderConformance.Case) async throws {
        try await conform(promise, url: Backend.postgres.url)
    }

    // Hints do not pass a pooler in transaction mode.
    @Test(
        .needs(.postgres, .pgbouncer),
        arguments: ProviderConformance.cases(for: capabilities.subtracting(.hints))
    )
    func keepsThemBehindAPooler(_ promise: ProviderConformance.Case) async throws {
        try await conform(promise, url: Backend.pgbouncer.url)
    }

    private func conform(_ promise: ProviderConformance.Case, url: String) async throws {
        // Real time has to pass for some; the others must not run out of it on a busy machine.
        let isTimed = !promise.requires.isDisjoint(with: [.expiry, .remaining, .wipe])
        try await TestDatabase.with { database in
            try await promise.run(
                ProviderConformance(
                    makeProvider: { try database.provider(url: url) },
                    passTime: { try await Task.sleep(for: $0) },
                    wipe: { try await database.run("TRUNCATE \(database.table)") },
                    leaseDuration: isTimed ? .seconds(2) : .seconds(20)
                )
            )
        }
    }
}
#endif
