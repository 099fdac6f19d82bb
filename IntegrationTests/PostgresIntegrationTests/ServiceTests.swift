// SPDX-License-Identifier: MIT
#if Postgres
internal import IntegrationSupport
internal import LeaderElection
internal import LeaderElectionPostgres
internal import Testing

/// The engine over a real database.
@Suite(.timeLimit(.minutes(3)))
struct ServiceTests {
    private func service(
        _ candidate: String,
        _ provider: PostgresElectionProvider,
        group: String = "group",
        lease: Duration
    ) throws -> ElectionService {
        try ElectionService(
            group,
            provider: provider,
            configuration: ElectionConfiguration(candidate: candidate, leaseDuration: lease)
        )
    }

    @Test(.needs(.postgres)) func aReleaseIsPushedToWhoeverWaits() async throws {
        try await TestDatabase.with { database in
            // So long that nothing but a notification can hand it over in time.
            let lease = Duration.seconds(600)
            // A server that was started for this would keep everybody waiting as long.
            func provider() throws -> PostgresElectionProvider { try database.provider(quarantine: false) }
            let waiting = try (0..<8).map { try service("waiting \($0)", try provider(), lease: lease) }
            let first = try service("first", try provider(), lease: lease)
            try await withThrowingDiscardingTaskGroup { tasks in
                tasks.addTask { try await first.run() }
                #expect(try await eventually { first.isLeader })
                for service in waiting { tasks.addTask { try await service.run() } }
                #expect(try await eventually { waiting.allSatisfy { $0.leader?.id == "first" } })
                var ended: [ElectionService] = []
                var terms = [try #require(first.leadership?.term)]
                first.stop()
                while ended.count < waiting.count {
                    #expect(try await eventually { waiting.contains(where: \.isLeader) })
                    guard let leader = waiting.first(where: \.isLeader), let term = leader.leadership?.term else {
                        break
                    }
                    terms.append(term)
                    ended.append(leader)
                    leader.stop()
                    #expect(try await eventually { !leader.isLeader })
                }
                #expect(ended.count == waiting.count)
                #expect(terms == terms.sorted() && Set(terms).count == terms.count)
                for service in waiting { service.stop() }
            }
        }
    }

    @Test(.needs(.postgres)) func aThousandGroupsShareStatements() async throws {
        try await TestDatabase.with { database in
            let provider = try database.provider()
            let services = try (0..<1024).map {
                try service("candidate", provider, group: "group \($0)", lease: .seconds(3))
            }
            try await withThrowingDiscardingTaskGroup { tasks in
                for service in services { tasks.addTask { try await service.run() } }
                #expect(try await eventually(within: .seconds(60)) { services.allSatisfy(\.isLeader) })
                // The server counts how often each lease was renewed, and how many statements that took.
                let rounds = { Int(try await database.run("SELECT max(seq) FROM \(database.table)") ?? "") ?? 0 }
                let statements = {
                    let sql = """
                        SELECT coalesce(sum(calls), 0) FROM pg_stat_statements
                        WHERE query LIKE '%renewed AS%' AND query LIKE '%\(database.schema)%'
                        """
                    return Int(try await TestSession(Self.admin(database.url)).run(sql) ?? "") ?? 0
                }
                let (roundsBefore, statementsBefore) = (try await rounds(), try await statements())
                #expect(try await eventually(within: .seconds(60)) { try await rounds() >= roundsBefore + 5 })
                let (roundsAfter, statementsAfter) = (try await rounds(), try await statements())
                let counted = statementsAfter - statementsBefore
                #expect(counted > 0)
                // Four full batches a round; one round may be under way at either end.
                #expect(counted <= 4 * (roundsAfter - roundsBefore + 2))
                let isStillLed = services.allSatisfy(\.isLeader)
                #expect(isStillLed)
                for service in services { service.stop() }
            }
            let free = try await database.run("SELECT count(*) FROM \(database.table) WHERE nonce IS NULL")
            #expect(free == "1024")
        }
    }

    private static func admin(_ url: String) -> String {
        url.replacing("elect:elect-secret", with: "admin:admin-secret")
    }
}
#endif
