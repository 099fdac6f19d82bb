// SPDX-License-Identifier: MIT
#if Postgres
internal import IntegrationSupport
internal import LeaderElection
internal import LeaderElectionPostgres
internal import Testing

/// Groups of which there is no row yet, and of which several processes hear in the same instant.
@Suite(.timeLimit(.minutes(1)))
struct FirstRequestTests {
    @Test(.needs(.postgres)) func thoseWhoAskAtTheSameInstantGetOneGrantAndNoError() async throws {
        try await TestDatabase.with { database in
            let providers = try (0..<6).map { _ in try database.provider() }
            // Connected, and the authority registered: from now on a request is one statement.
            for (number, provider) in providers.enumerated() {
                let warmUp = try Contender("candidate", provider, group: "warm up \(number)")
                #expect(try await warmUp.acquireSoon() > 0)
            }
            for round in 0..<300 {
                let contenders = try providers.map { try Contender("candidate", $0, group: "group \(round)") }
                let answers = try await withThrowingTaskGroup(of: AcquireAnswer.self) { tasks in
                    for contender in contenders { tasks.addTask { try await contender.acquire() } }
                    return try await tasks.reduce(into: []) { $0.append($1) }
                }
                #expect(answers.count { $0.term != nil } == 1, "group \(round)")
                // The others are told to wait: by the record of the holder, or until it can be read.
                #expect(answers.count { $0.record != nil || $0.delay != nil } == 5, "group \(round): \(answers)")
            }
        }
    }
}
#endif
