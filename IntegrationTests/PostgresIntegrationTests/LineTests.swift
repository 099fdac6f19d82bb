// SPDX-License-Identifier: MIT
#if Postgres
internal import IntegrationSupport
internal import LeaderElection
internal import Testing

@testable internal import LeaderElectionPostgres

/// Many that wait for one lease, of whom one stands right behind the leader.
@Suite(.needs(.postgres), .timeLimit(.minutes(3)))
struct LineTests {
    /// So long that only a bell or a notification can hand it over in time.
    private static let lease = Duration.seconds(3600)

    private struct Member {
        let provider: PostgresElectionProvider
        let service: ElectionService

        var isNext: Bool {
            get async { await provider.store.isNext }
        }
        var isLeadingLine: Bool {
            get async { await provider.store.isLeadingLine }
        }
    }

    /// Runs a crowd until `body` is done.
    private func run(
        _ count: Int = PostgresLine.smallestCrowd + 1,
        on database: TestDatabase,
        url: String? = nil,
        areListed: Bool = true,
        _ body: ([Member]) async throws -> Void
    ) async throws {
        let members = try (0..<count).map { number in
            // A server that was started for this would keep everybody waiting as long.
            let provider = try database.provider(url: url, quarantine: false)
            var configuration = ElectionConfiguration(candidate: "member \(number)", leaseDuration: Self.lease)
            configuration.isListed = areListed
            let service = try ElectionService("group", provider: provider, configuration: configuration)
            return Member(provider: provider, service: service)
        }
        try await withThrowingDiscardingTaskGroup { tasks in
            for member in members { tasks.addTask { try await member.service.run() } }
            defer { for member in members { member.service.stop() } }
            try await body(members)
        }
    }

    /// Who leads and who stands behind, once both have their places.
    private func places(_ members: [Member]) async throws -> (leader: Member, next: Member) {
        var places: (leader: Member, next: Member)?
        let isSettled = try await eventually(within: .seconds(40)) {
            var next: [Member] = []
            for member in members where await member.isNext { next.append(member) }
            guard let leader = members.first(where: \.service.isLeader), await leader.isLeadingLine, next.count == 1
            else {
                return false
            }
            places = (leader, next[0])
            return true
        }
        #expect(isSettled)
        return try #require(places)
    }

    private func keys(_ database: TestDatabase) throws -> (lead: Int64, next: Int64) {
        try PostgresLine.keys(of: ElectionGroup("group"), on: database.provider().store.settings.channel)
    }

    /// Ends the session that holds a lock, as a server does that an operator tells so.
    private func endHolder(of key: Int64, _ database: TestDatabase) async throws {
        let sql = """
            SELECT count(pg_terminate_backend(pid)) FROM pg_locks WHERE locktype = 'advisory' AND objsubid = 1 AND granted
                AND classid::bigint << 32 | objid::bigint = \(key)
            """
        #expect(try await database.run(sql) == "1")
    }

    @Test func whoStandsBehindLeadsNextAndNobodyElseIsTold() async throws {
        try await TestDatabase.with { database in
            try await run(on: database) { members in
                var members = members
                for member in members { await member.provider.store.giveHeadStart(of: Self.lease) }
                let listener = try await Listener(database, members[0].provider)
                var released: [String] = []
                for _ in 0..<2 {
                    let (leader, next) = try await places(members)
                    members.removeAll { $0.service.candidate == leader.service.candidate }
                    let term = try #require(leader.service.leadership?.term)
                    released.append("r\(term):group")
                    leader.service.stop()
                    #expect(try await eventually { next.service.isLeader })
                    let all = members
                    let id = next.service.candidate.id
                    #expect(try await eventually { all.allSatisfy { $0.service.leader?.id == id } })
                }
                #expect(try await listener.heard().allSatisfy { !released.contains($0) })
                #expect(try await listener.lots.isEmpty)
                // The last of them finds nobody behind it.
                for member in members { await member.provider.store.giveHeadStart(of: HintSpread.headStart) }
            }
        }
    }

    @Test func whoDoesNotWantTheLeaseMakesRoom() async throws {
        try await TestDatabase.with { database in
            let holder = try Contender("holder", try database.provider(quarantine: false))
            let others = try (0..<PostgresLine.smallestCrowd).map {
                try Contender("other \($0)", try database.provider(quarantine: false))
            }
            let hints = ([holder] + others).map { Hints(of: $0.provider) }
            let listener = try await Listener(database, holder.provider)
            let term = try #require(try await holder.acquire().term)
            // They ask once, and never act on what they hear.
            for other in others { #expect(try await other.acquire().record?.term == term) }
            #expect(try await eventually { await holder.provider.store.isLeadingLine })
            func next() async -> Contender? {
                for other in others where await other.provider.store.isNext { return other }
                return nil
            }
            #expect(try await eventually { await next() != nil })
            let first = try #require(await next())
            #expect(try await holder.release(term: term).isReleased)
            // Told by the bell, and then all of them by a notification.
            let group = holder.group
            #expect(try await eventually { hints.dropFirst().allSatisfy { $0.releases(of: group) > 0 } })
            #expect(hints.flatMap(\.all).contains(.freed(group, listeners: 1)))
            #expect(try await listener.heard(from: "r\(term):group").last == "r\(term):group")
            #expect(try await eventually { await !first.provider.store.isRung })
            var later = holder
            later.nonce = Nonce()
            let again = try #require(try await later.acquire().term)
            for other in others where other.candidate != first.candidate {
                #expect(try await other.acquire().record?.term == again)
            }
            #expect(try await eventually { await next() != nil })
            let second = try #require(await next())
            #expect(second.candidate != first.candidate)
            #expect(try await eventually { await holder.provider.store.isLeadingLine })
        }
    }

    @Test(arguments: [true, false]) func whoLosesItsPlaceIsFollowedByNotifications(isLeader: Bool) async throws {
        try await TestDatabase.with { database in
            try await run(on: database) { members in
                let (leader, next) = try await places(members)
                let keys = try keys(database)
                try await endHolder(of: isLeader ? keys.lead : keys.next, database)
                #expect(try await eventually { await !next.isNext })
                if isLeader { #expect(try await eventually { await !leader.isLeadingLine }) }
                #expect(leader.service.isLeader)
                let others = members.filter { $0.service.candidate != leader.service.candidate }
                leader.service.stop()
                #expect(try await eventually { others.contains(where: \.service.isLeader) })
                _ = try await places(others)
            }
        }
    }

    @Test func whoLedAndAsksAnewHasNobodyBehindIt() async throws {
        try await TestDatabase.with { database in
            var holder = try Contender("holder", try database.provider(quarantine: false))
            let others = try (0..<PostgresLine.smallestCrowd).map {
                try Contender("other \($0)", try database.provider(quarantine: false))
            }
            let hints = ([holder] + others).map { Hints(of: $0.provider) }
            let term = try #require(try await holder.acquire().term)
            for other in others { #expect(try await other.acquire().record?.term == term) }
            #expect(try await eventually { await holder.provider.store.isLeadingLine })
            // As after a pause that was longer than the lease: no renewal says that it is lost.
            try await database.run("UPDATE \(database.table) SET expires = now()")
            let next = try #require(try await others[0].acquire().term)
            holder.nonce = Nonce()
            #expect(try await holder.acquire().record?.term == next)
            #expect(await !holder.provider.store.isLeadingLine)
            #expect(try await eventually { await others[0].provider.store.isLeadingLine })
            #expect(hints.count == others.count + 1)
        }
    }

    @Test func aLeaseThatIsHandedOnHasItsLineBehindTheHeir() async throws {
        try await TestDatabase.with { database in
            try await run(on: database) { members in
                let (leader, next) = try await places(members)
                let taken = [leader, next].map(\.service.candidate)
                let heir = try #require(members.first { !taken.contains($0.service.candidate) })
                // Once it is known to wait.
                let id = heir.service.candidate.id
                #expect(try await eventually { (try? await leader.service.transfer(to: id)) != nil })
                #expect(try await eventually { heir.service.isLeader })
                #expect(try await places(members).leader.service.candidate == heir.service.candidate)
            }
        }
    }

    @Test func whoHasToDoWithSeveralGroupsLeavesTheLine() async throws {
        try await TestDatabase.with { database in
            try await run(on: database) { members in
                let (leader, next) = try await places(members)
                for member in [leader, next] {
                    let other = try Contender("also \(member.service.candidate.id)", member.provider, group: "another")
                    _ = try await other.acquireSoon()
                    _ = try await member.provider.release([other.releaseRequest(term: nil)])
                }
                // Theirs is one group again; but their places are gone.
                #expect(try await eventually { await !leader.isLeadingLine })
                let others = members.filter { $0.service.candidate != leader.service.candidate }
                leader.service.stop()
                #expect(try await eventually { others.contains(where: \.service.isLeader) })
            }
        }
    }

    @Test func fewNeedNoConnectionMoreAndACrowdTwo() async throws {
        try await TestDatabase.with { database in
            for (count, expected) in [(2, 4), (PostgresLine.smallestCrowd + 1, 2 * PostgresLine.smallestCrowd + 4)] {
                let name = "test-\(Nonce().description.prefix(12))"
                let url = database.url + "?application_name=\(name)"
                // Notes have a connection of their own until there is one that listens.
                try await run(count, on: database, url: url, areListed: false) { members in
                    if count >= PostgresLine.smallestCrowd {
                        _ = try await places(members)
                    } else {
                        let isCounted = try await eventually {
                            for member in members {
                                guard await member.provider.store.knownCandidates == count else { return false }
                            }
                            return members.contains(where: \.service.isLeader)
                        }
                        #expect(isCounted)
                    }
                    let sql = "SELECT count(*) FROM pg_stat_activity WHERE application_name = '\(name)'"
                    var found: String?
                    // Whoever was next for a moment keeps its connection for half a minute.
                    _ = try await eventually(within: .seconds(45)) {
                        found = try await database.run(sql)
                        return found == "\(expected)"
                    }
                    #expect(found == "\(expected)")
                }
            }
        }
    }

    @Test func aServerWithoutAnotherConnectionIsAskedForNone() async throws {
        try await TestDatabase.with { database in
            let count = PostgresLine.smallestCrowd + 1
            let (user, admin) = try await database.user(connections: 2 * count)
            let url = database.url.replacing("elect:elect-secret", with: "\(user):secret")
            try await run(count, on: database, url: url) { members in
                let isCounted = try await eventually {
                    for member in members {
                        guard await member.provider.store.knownCandidates == count else { return false }
                    }
                    return members.contains(where: \.service.isLeader)
                }
                #expect(isCounted)
                let leader = try #require(members.first { $0.service.isLeader })
                #expect(try await eventually { await leader.provider.store.failedToStand })
                let others = members.filter { $0.service.candidate != leader.service.candidate }
                leader.service.stop()
                #expect(try await eventually { others.contains(where: \.service.isLeader) })
            }
            try await database.run("DROP SCHEMA \(database.schema) CASCADE")
            try await admin.run("DROP OWNED BY \(user)")
            try await admin.run("DROP ROLE \(user)")
        }
    }

    @Test func nobodyWaitsForLongerThanTheServerPutsUpWith() async throws {
        let session = TestSession(Backend.postgres.url.replacing("elect:elect-secret", with: "admin:admin-secret"))
        func patience(_ settings: (String, String)...) async throws -> [String?] {
            for (name, value) in settings { try await session.run("SET \(name) = '\(value)'") }
            let patience = try await session.run(PostgresQueries.patienceInLine)
            return [patience, try await session.run("SELECT setting FROM pg_settings WHERE name = 'lock_timeout'")]
        }
        #expect(try await patience(("deadlock_timeout", "1s"), ("log_min_duration_statement", "-1")) == ["800", "800"])
        #expect(try await patience(("log_min_duration_statement", "250ms")) == ["200", "200"])
        #expect(try await patience(("statement_timeout", "100ms")) == ["80", "80"])
        #expect(try await patience(("log_min_duration_statement", "0"), ("statement_timeout", "0")) == ["800", "800"])
        // Not zero, which would be for ever.
        #expect(try await patience(("log_min_duration_statement", "1ms")) == ["1", "1"])
    }
}

extension PostgresStore {
    fileprivate var isNext: Bool { line?.assumeIsolated { $0.isWaiting } ?? false }
    fileprivate var isLeadingLine: Bool { line?.assumeIsolated { $0.isLeading } ?? false }
    fileprivate var isRung: Bool { line?.assumeIsolated { $0.rungLink } != nil }
    fileprivate var failedToStand: Bool { line?.assumeIsolated { $0.isRefused } ?? false }
}
#endif
