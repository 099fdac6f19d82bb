// SPDX-License-Identifier: MIT
#if Postgres
internal import IntegrationSupport
internal import LeaderElection
internal import LeaderElectionPostgres
internal import Testing

/// Servers that end, freeze, forget, or give way to their standby.
@Suite(.serialized, .timeLimit(.minutes(5)))
struct ServerFaultTests {
    private func contender(_ name: String, _ url: String, group: String = "group") throws -> Contender {
        var contender = try Contender(name, try PostgresElectionProvider(url), group: group)
        contender.lease = .seconds(20)
        contender.timeout = .seconds(1)
        return contender
    }

    @Test(.needsOwn(.postgres), arguments: ["restart", "kill"])
    func leasesOutliveARestart(_ how: String) async throws {
        try await PrivateServer.with(.postgres) { server in
            var short = try contender("holder", server.url)
            short.lease = .seconds(1)
            let holder = try contender("holder", server.url)
            let hints = Hints(of: holder.provider)
            _ = try await short.acquireSoon()
            try await server.sql("SELECT pg_sleep(0)")
            let term = try await holder.acquireSoon()
            #expect(try await eventually { hints.resyncs == 1 })
            if how == "kill" {
                try await server.kill()
                _ = try? await holder.renew(term: term)
                try await server.start()
            } else {
                try await server.restart()
            }
            #expect(try await holder.renewSoon(term: term).isRenewed)
            // Known data: nothing was lost, and nothing is held back.
            let other = try contender("other", server.url, group: "other")
            #expect(try await other.acquire().term != nil)
            let rival = try contender("rival", server.url)
            #expect(try await rival.acquire().record?.term == term)
            #expect(try await eventually { hints.resyncs == 2 })
        }
    }

    @Test(.needsOwn(.postgres)) func aServerThatForgotAllGrantsNothingForALease() async throws {
        try await PrivateServer.with(.postgres) { server in
            var holder = try contender("holder", server.url)
            holder.lease = .seconds(4)
            let term = try await holder.acquireSoon()
            try await server.wipe()
            let before = ContinuousClock.now
            try await server.start()
            // A stranger, who knows nothing of what was there: the server has only just begun.
            var stranger = try contender("stranger", server.url)
            stranger.lease = .seconds(4)
            var delay: Duration?
            _ = try await eventually {
                delay = try? await stranger.acquire().delay
                return delay != nil
            }
            #expect(try #require(delay) > .seconds(1))
            #expect(try await holder.renewSoon(term: term).isLost)
            #expect(try await stranger.acquireSoon() > term)
            #expect(ContinuousClock.now - before > .seconds(3))
        }
    }

    @Test(.needsOwn(.postgres)) func aFrozenServerCostsNoMoreThanTheTimeOut() async throws {
        try await PrivateServer.with(.postgres) { server in
            var holder = try contender("holder", server.url)
            holder.timeout = .milliseconds(400)
            let hints = Hints(of: holder.provider)
            let term = try await holder.acquireSoon()
            #expect(try await eventually { hints.resyncs == 1 })
            try await server.freeze()
            for _ in 0..<3 {
                let start = ContinuousClock.now
                await #expect(throws: ElectionError.self) { try await holder.renew(term: term) }
                #expect(ContinuousClock.now - start < .seconds(3))
            }
            try await server.thaw()
            #expect(try await holder.renewSoon(term: term).isRenewed)
        }
    }

    @Test(.needsOwn(.postgres, .postgresStandby)) func aPromotedStandbyGrantsNothingForALease() async throws {
        try await PrivateServer.with(.postgres, .postgresStandby) { server in
            let standby = server.url(of: .postgresStandby)
            let primary = server.url(of: .postgres)
            let refused = try await contender("early", standby).refusal()
            #expect(refused?.code == .storeRefused)
            #expect(refused?.message.contains("primary") == true)
            // Both are named: the one that takes writes is found, before and after.
            let both = primary.replacing(
                "/elections",
                with: ",localhost:\(server.port(of: .postgresStandby))/elections"
            )
            var holder = try contender("holder", both)
            holder.lease = .seconds(5)
            let term = try await holder.acquireSoon()
            #expect(
                try await eventually {
                    let sql = "SELECT term FROM leader_election_lease WHERE grp = 'group'"
                    return (try? await TestSession(standby).run(sql)) == "\(term)"
                }
            )
            try await server.kill("postgres")
            let admin = standby.replacing("elect:elect-secret", with: "admin:admin-secret")
            #expect(try await TestSession(admin).run("SELECT pg_promote()") == "t")
            #expect(try await holder.renewSoon(term: term).isRenewed)
            var other = try contender("other", both, group: "other")
            other.lease = .seconds(5)
            #expect(try #require(try await other.acquire().delay) > .seconds(3))
            #expect(try await other.acquireSoon() > term)
        }
    }
}
#endif
