// SPDX-License-Identifier: MIT
#if Postgres
internal import Foundation
internal import IntegrationSupport
internal import LeaderElection
internal import Testing

@testable internal import LeaderElectionPostgres

/// Connections that end, are cut, or never come about.
@Suite(.timeLimit(.minutes(2)))
struct ConnectionTests {
    private let terminate = """
        SELECT count(pg_terminate_backend(pid)) FROM pg_stat_activity WHERE application_name =
        """

    @Test(.needs(.postgres)) func aTerminatedConnectionIsReplacedAtOnce() async throws {
        try await TestDatabase.with { database in
            let name = "test-\(Nonce().description.prefix(12))"
            let provider = try database.provider(url: database.url + "?application_name=\(name)")
            let contender = try Contender("candidate", provider)
            let hints = Hints(of: provider)
            let term = try #require(try await contender.acquire().term)
            #expect(try await eventually { hints.resyncs == 1 })
            for round in 2...4 {
                #expect(try await database.run("\(terminate) '\(name)'") == "2")
                // The end of the one for statements is noticed by itself, or by the statement that meets it.
                #expect(try await contender.renewSoon(term: term).isRenewed)
                #expect(try await eventually { hints.resyncs == round })
            }
            let mark = hints.changes(of: contender.group)
            let other = try Contender("other", try database.provider())
            #expect(try await other.acquire(previous: contender.nonce).term != nil)
            #expect(try await eventually { hints.changes(of: contender.group) > mark })
            #expect(hints.warnings.isEmpty)
        }
    }

    @Test(.needs(.postgres)) func aSilentServerIsGivenUpAfterTheTimeOut() async throws {
        try await TestDatabase.with { database in
            let port = try #require(NetworkAddress.all(in: database.url).first?.port)
            let proxy = try FaultProxy(to: port)
            defer { proxy.close() }
            var contender = try Contender("candidate", try database.provider(url: proxy.url(database.url)))
            contender.timeout = .milliseconds(300)
            let term = try await contender.acquireSoon()
            let connections = proxy.counters.connections
            proxy.hold()
            let start = ContinuousClock.now
            await #expect(throws: ElectionError.self) { try await contender.renew(term: term) }
            #expect(ContinuousClock.now - start < .seconds(2))
            // One attempt waits for the silent server, whatever is asked meanwhile.
            for _ in 0..<5 { _ = try? await contender.renew(term: term) }
            #expect(proxy.counters.connections <= connections + 3)
            proxy.clear()
            proxy.resetAll()
            #expect(try await contender.renewSoon(term: term).isRenewed)
        }
    }

    @Test(.needs(.postgres)) func anAcquisitionWhoseAnswerWasLostIsFoundAgain() async throws {
        try await TestDatabase.with { database in
            let port = try #require(NetworkAddress.all(in: database.url).first?.port)
            let proxy = try FaultProxy(to: port)
            defer { proxy.close() }
            var contender = try Contender(
                "candidate",
                try database.provider(url: proxy.url(database.url) + "?sslmode=disable&gssencmode=disable")
            )
            contender.timeout = .milliseconds(500)
            // The tables are made, and the statement is known to the server.
            let earlier = try await contender.acquireSoon()
            #expect(try await contender.release(term: earlier).isReleased)
            proxy.add(FaultRule(.drop, .replies, whenRequestContains: "group", limit: 1))
            contender.nonce = Nonce()
            #expect(await contender.refusal()?.code == .timedOut)
            let stored = try await database.run("SELECT term FROM \(database.table) WHERE nonce IS NOT NULL")
            let term = try await contender.acquireSoon()
            #expect(stored == "\(term)" && term > earlier)
        }
    }

    @Test(.needs(.postgres)) func garbageEndsTheConnectionAndNothingElse() async throws {
        try await TestDatabase.with { database in
            let port = try #require(NetworkAddress.all(in: database.url).first?.port)
            let proxy = try FaultProxy(to: port)
            defer { proxy.close() }
            let url = proxy.url(database.url) + "?sslmode=disable&gssencmode=disable"
            var contender = try Contender("candidate", try database.provider(url: url))
            contender.timeout = .milliseconds(500)
            let term = try await contender.acquireSoon()
            for bytes: [UInt8] in [
                [0xFF, 0xFF, 0xFF, 0xFF, 0xFF, 0xFF], Array("HTTP/1.1 400 Bad\r\n\r\n".utf8), [0x54, 0, 0],
            ] {
                proxy.add(FaultRule(.garbage(bytes), .replies, limit: 1))
                await #expect(throws: ElectionError.self) { try await contender.renew(term: term) }
                proxy.clear()
                #expect(try await contender.renewSoon(term: term).isRenewed)
            }
        }
    }

    @Test(.needs(.postgres, .pgbouncer)) func behindATransactionPoolerHintsAreMissingAndThatIsSaidOnce() async throws {
        try await TestDatabase.with { database in
            let provider = try database.provider(url: Backend.pgbouncer.url)
            var contender = try Contender("candidate", provider)
            contender.timeout = .seconds(1)
            let hints = Hints(of: provider)
            var term = try await contender.acquireSoon()
            #expect(try await eventually { hints.warnings.count == 1 })
            for _ in 0..<5 {
                #expect(try await contender.renew(term: term).isRenewed)
                #expect(try await contender.release(term: term).isReleased)
                contender.nonce = Nonce()
                term = try await contender.acquireSoon()
            }
            #expect(hints.warnings.count == 1)
            #expect(hints.warnings.first?.message.contains("pooler") == true)
        }
    }

    @Test(.needs(.postgres, .pgbouncer)) func behindATransactionPoolerReleasesAreLookedForAndToldOnce() async throws {
        try await TestDatabase.with { database in
            let (direct, pooled) = (try database.provider(), try database.provider(url: Backend.pgbouncer.url))
            let hints = Hints(of: pooled)
            var leaders: [(contender: Contender, term: Int64)] = []
            for group in ["first", "second", "third"] {
                let leader = try Contender("leader", direct, group: group)
                leaders.append((leader, try await leader.acquireSoon()))
                var waiting = try Contender("waiting", pooled, group: group)
                waiting.timeout = .seconds(1)
                #expect(try await waiting.acquire().record != nil)
            }
            #expect(try await eventually { hints.warnings.count == 1 })
            #expect(leaders.allSatisfy { hints.releases(of: $0.contender.group) == 0 })
            // The second is found by a later look than the first, which nobody takes in between.
            for (leader, term) in leaders.prefix(2) {
                #expect(try await leader.release(term: term).isReleased)
                #expect(try await eventually { hints.releases(of: leader.group) == 1 })
            }
            #expect(leaders.map { hints.releases(of: $0.contender.group) } == [1, 1, 0])
        }
    }

    @Test(.needs(.postgres)) func whoIsRefusedAConnectionForNotificationsFindsReleasesAllTheSame() async throws {
        try await TestDatabase.with { database in
            let leader = try Contender("leader", try database.provider())
            let term = try await leader.acquireSoon()
            let (user, admin) = try await database.user(connections: 1)
            let url = database.url.replacing("elect:elect-secret", with: "\(user):secret")
            let waiting = try Contender("waiting", try database.provider(url: url))
            #expect(try await waiting.acquire().record != nil)
            let hints = Hints(of: waiting.provider)
            #expect(try await leader.release(term: term).isReleased)
            #expect(try await eventually { hints.releases(of: waiting.group) == 1 })
            #expect(hints.resyncs == 0)
            #expect(try await waiting.acquire().term != nil)
            try await admin.run("DROP ROLE \(user)")
        }
    }

    @Test(.needs(.postgres, .pgbouncer)) func behindATransactionPoolerNotesAreLookedForAndTold() async throws {
        try await TestDatabase.with { database in
            let provider = try database.provider(url: Backend.pgbouncer.url)
            var contender = try Contender("candidate", provider)
            contender.timeout = .seconds(1)
            let hints = Hints(of: provider)
            _ = try await contender.acquireSoon()
            let (own, other) = (Notes(provider), Notes(try database.provider()))
            try await own.write("own", "text")
            #expect(try await eventually { hints.warnings.count == 1 })
            let group = ProviderHint.noted(contender.group)
            #expect(try await eventually { hints.all.contains(group) })
            let count = hints.all.count { $0 == group }
            try await other.write("instruction", "text")
            #expect(try await eventually { hints.all.count { $0 == group } > count })
            try await other.write("instruction", "another", isNews: false)
            #expect(try await eventually { hints.all.count { $0 == group } > count + 1 })
        }
    }

    @Test(.needs(.postgres)) func statementsOfManyCallersShareAConnection() async throws {
        try await TestDatabase.with { database in
            let name = "test-\(Nonce().description.prefix(12))"
            let provider = try database.provider(url: database.url + "?application_name=\(name)")
            try await withThrowingTaskGroup(of: Int64.self) { tasks in
                for index in 0..<50 {
                    tasks.addTask {
                        let contender = try Contender("candidate", provider, group: "group \(index)")
                        return try await contender.acquireSoon()
                    }
                }
                try await tasks.waitForAll()
            }
            let count = try await database.run(
                "SELECT count(*) FROM pg_stat_activity WHERE application_name = '\(name)'"
            )
            #expect(count == "1")
        }
    }

    @Test(.needs(.postgres)) func aProviderThatIsLetGoClosesItsConnections() async throws {
        try await TestDatabase.with { database in
            let name = "test-\(Nonce().description.prefix(12))"
            do {
                let provider = try database.provider(url: database.url + "?application_name=\(name)")
                let hints = Hints(of: provider)
                #expect(try await Contender("candidate", provider).acquire().term != nil)
                #expect(try await eventually { hints.resyncs == 1 })
            }
            let sql = "SELECT count(*) FROM pg_stat_activity WHERE application_name = '\(name)'"
            #expect(try await eventually { try await database.run(sql) == "0" })
        }
    }

    @Test(.needs(.postgres)) func aProcessMayEndWhileAConnectionIsMade() async {
        await #expect(processExitsWith: .success) {
            // Handlers run in reverse order, so that whatever libraries register with the first connection comes before.
            atexit { _exit(ConnectionTests.connects() ? EXIT_SUCCESS : EXIT_FAILURE) }
            #expect(ConnectionTests.connects())
            exit(EXIT_FAILURE)
        }
    }

    /// Through a handshake of TLS.
    private static func connects() -> Bool {
        (try? PQConnection.connect(to: Backend.postgres.url + "?sslmode=require")) != nil
    }
}
#endif
