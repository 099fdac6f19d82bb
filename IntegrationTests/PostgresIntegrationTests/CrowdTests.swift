// SPDX-License-Identifier: MIT
#if Postgres
internal import IntegrationSupport
internal import LeaderElection
internal import Testing

@testable internal import LeaderElectionPostgres

/// Who is told of a release, when, and by whom.
@Suite(.timeLimit(.minutes(2)))
struct CrowdTests {
    /// So long that a test which waits for its end does not pass.
    private static let forever = Duration.seconds(3600)

    @Test(.needs(.postgres)) func aFewAreToldAtOnceAndTogether() async throws {
        try await TestDatabase.with { database in
            let holder = try Contender("holder", try database.provider())
            let others = try (0..<3).map { try Contender("other \($0)", try database.provider()) }
            let listener = try await Listener(database, holder.provider)
            await holder.provider.store.giveHeadStart(of: Self.forever)
            // Before it is known how many listen, and after.
            for providers in [[], others.map(\.provider) + [holder.provider]] {
                let term = try #require(try await holder.acquire().term)
                for other in others { #expect(try await other.acquire().record?.term == term) }
                let hints = try await listen(providers)
                #expect(try await eventually { await holder.provider.store.knownCandidates == providers.count })
                #expect(try await holder.release(term: term).isReleased)
                let word = "r\(term):group"
                #expect(try await listener.heard(from: word).last == word)
                #expect(try await listener.lots.isEmpty)
                let group = holder.group
                #expect(try await eventually { hints.allSatisfy { $0.releases(of: group) == 1 } })
            }
        }
    }

    @Test(.needs(.postgres)) func ofACrowdFewAreToldFirstAndAllWhenNoneOfThemTakesTheLease() async throws {
        try await TestDatabase.with { database in
            let holder = try Contender("holder", try database.provider())
            let term = try #require(try await holder.acquire().term)
            let others = try (0..<11).map { try Contender("other \($0)", try database.provider()) }
            for other in others { #expect(try await other.acquire().record?.term == term) }
            let listener = try await Listener(database, holder.provider)
            let hints = try await listen(others.map(\.provider)) + listen([holder.provider])
            let stores = others.map(\.provider.store) + [holder.provider.store]
            #expect(await holder.provider.store.knownCandidates == 12)
            await holder.provider.store.giveHeadStart(of: Self.forever)

            let release = Task { try await holder.release(term: term).isReleased }
            let word = "r\(term):group"
            #expect(try await eventually { try await listener.lots.count == 4 })
            let told = Set(try await listener.lots.map(\.channel))
            #expect(told.count == 4)
            #expect(try await listener.lots.allSatisfy { $0.payload == word })
            // They act as those whom lots were drawn for: at once.
            let hint = ProviderHint.freed(holder.group, listeners: 1)
            for (store, hints) in zip(stores, hints) where told.contains(store.lots.own.name) {
                #expect(try await eventually { hints.all.contains(hint) })
            }
            #expect(try await listener.heard().isEmpty)

            // What ends the wait before its time.
            #expect(try await eventually { await holder.provider.store.isGivingHeadStart })
            release.cancel()
            #expect(try await release.value)
            #expect(try await listener.heard() == [word])
            for (store, hints) in zip(stores, hints) {
                let count = told.contains(store.lots.own.name) ? 2 : 1
                let group = holder.group
                #expect(try await eventually { hints.releases(of: group) == count })
            }
        }
    }

    @Test(.needs(.postgres)) func whoWasNotToldFirstTakesOverWhenTheChosenDoNotWantTo() async throws {
        try await TestDatabase.with { database in
            var holder = try Contender("holder", try database.provider(quarantine: false))
            // So long that nothing but a notification can hand it over in time.
            holder.lease = .seconds(600)
            let term = try #require(try await holder.acquire().term)
            let provider = try database.provider(quarantine: false)
            let service = try ElectionService(
                "group",
                provider: provider,
                configuration: ElectionConfiguration(candidate: "waiting", leaseDuration: .seconds(600))
            )
            try await withThrowingDiscardingTaskGroup { tasks in
                tasks.addTask { try await service.run() }
                #expect(try await eventually { service.leader?.id == "holder" })
                #expect(try await eventually { await provider.store.knownCandidates == 1 })
                let lots = provider.store.lots
                let answer = try await holder.release(
                    term: term,
                    toldOn: try #require(lots.all.first { $0 != lots.own })
                )
                #expect(answer.isReleased)
                #expect(try await eventually { service.isLeader })
                service.stop()
            }
        }
    }

    @Test(.needs(.postgres)) func aGrantEndsTheWaitAndNobodyElseIsTold() async throws {
        try await TestDatabase.with { database in
            let holder = try Contender("holder", try database.provider())
            let other = try Contender("other", try database.provider())
            let term = try #require(try await holder.acquire().term)
            let hints = try await listen([holder.provider])
            let listener = try await Listener(database, holder.provider)
            await holder.provider.store.giveHeadStart(of: Self.forever)
            let lot = holder.provider.store.lots.all[0]
            async let answer = holder.release(term: term, toldOn: lot)
            #expect(try await eventually { try await listener.lots.map(\.channel) == [lot.name] })
            let next = try #require(try await other.provider.store.acquireFreed(other.request()).term)
            #expect(try await answer.isReleased)
            #expect(try await eventually { hints.allSatisfy { $0.changes(of: holder.group) > 0 } })
            #expect(try await listener.heard(from: "a\(next):group") == ["a\(next):group"])
        }
    }

    @Test(.needs(.postgres)) func nobodyIsToldOfALeaseThatWasTakenUnheard() async throws {
        try await TestDatabase.with { database in
            // It hears of nothing.
            let holder = try Contender("holder", try database.provider())
            let other = try Contender("other", try database.provider())
            let term = try #require(try await holder.acquire().term)
            let listener = try await Listener(database, holder.provider)
            await holder.provider.store.giveHeadStart(of: Self.forever)
            let lot = holder.provider.store.lots.all[0]
            let release = Task { try await holder.release(term: term, toldOn: lot).isReleased }
            #expect(try await eventually { try await listener.lots.map(\.channel) == [lot.name] })
            let next = try #require(try await other.acquire().term)
            #expect(try await eventually { await holder.provider.store.isGivingHeadStart })
            release.cancel()
            #expect(try await release.value)
            #expect(try await listener.heard() == ["a\(next):group"])
        }
    }

    @Test(.needs(.postgres)) func aGrantIsToldOfOnceTheWinnerKnows() async throws {
        try await TestDatabase.with { database in
            let first = try Contender("first", try database.provider())
            let second = try Contender("second", try database.provider())
            let listener = try await Listener(database, first.provider)
            let term = try #require(try await first.acquire().term)
            #expect(try await first.release(term: term).isReleased)
            // The statement tells nobody: the winner would come after all who listen.
            let queries = PostgresQueries(
                settings: first.provider.store.settings,
                authority: PostgresAuthority(tellsSystem: true, tellsTimeline: true)
            )
            #expect(!queries.acquireFreed.sql.contains("pg_notify"))
            let next = try #require(try await second.provider.store.acquireFreed(second.request()).term)
            let words = ["a\(term):group", "r\(term):group", "a\(next):group"]
            #expect(try await listener.heard(from: "a\(next):group") == words)
        }
    }

    @Test(.needs(.postgres)) func aGrantThatWasGivenBackIsNotToldOfAfterwards() async throws {
        try await TestDatabase.with { database in
            let contender = try Contender("candidate", try database.provider())
            let listener = try await Listener(database, contender.provider)
            let term = try #require(try await contender.acquire().term)
            #expect(try await contender.release(term: term).isReleased)
            let next = try #require(try await contender.provider.store.acquireFreedAndRelease(contender.request()))
            let last = try #require(try await contender.acquire().term)
            let words = ["a\(term):group", "r\(term):group", "r\(next):group", "a\(last):group"]
            #expect(try await listener.heard(from: "a\(last):group") == words)
        }
    }

    /// Subscribes to each, until all of them are counted.
    private func listen(_ providers: [PostgresElectionProvider]) async throws -> [Hints] {
        let hints = providers.map { Hints(of: $0) }
        for provider in providers { #expect(try await eventually { await provider.store.knownCandidates > 0 }) }
        return hints
    }
}

extension PostgresStore {
    func giveHeadStart(of duration: Duration) { headStart = duration }

    /// Whether a lease was given back here, and those who were told first have yet to take it.
    fileprivate var isGivingHeadStart: Bool { watches.contains { $0.watch.assumeIsolated { $0.isWaiting } } }

    /// As if word of a release had come just now.
    fileprivate func acquireFreed(_ request: AcquireRequest) async throws -> AcquireAnswer {
        freed[request.group] = .now
        return try await acquire([request])[0]
    }

    /// The term; it is over before the engine's thread turns to anything else.
    fileprivate func acquireFreedAndRelease(_ request: AcquireRequest) async throws -> Int64? {
        guard let term = try await acquireFreed(request).term else { return nil }
        let (group, nonce) = (request.group, request.nonce)
        let release = ReleaseRequest(group: group, nonce: nonce, term: term, timeout: request.timeout)
        return try await self.release([release])[0].isReleased ? term : nil
    }
}

extension Contender {
    /// Gives the lease back as one of a crowd does, of which those on this channel are told first.
    fileprivate func release(term: Int64, toldOn lot: SQLName) async throws -> ReleaseAnswer {
        try await provider.store.releaseOne(releaseRequest(term: term), timeout, [lot])
    }
}

/// A session that listens to what the processes of one election are told.
struct Listener {
    private let session: TestSession
    private let channel: String

    init(_ database: TestDatabase, _ provider: PostgresElectionProvider) async throws {
        let store = provider.store
        session = TestSession(database.url)
        channel = store.settings.channel.name
        for name in [store.settings.channel] + store.lots.all { try await session.run("LISTEN \(name.quoted)") }
    }

    /// What only some were told.
    var lots: [PQConnection.Notification] {
        get async throws { try await session.notifications().filter { $0.channel != channel } }
    }

    /// What all were told so far.
    func heard() async throws -> [String] {
        try await session.notifications().filter { $0.channel == channel }.map(\.payload)
    }

    /// What all were told, once this is a part of it.
    func heard(from word: String) async throws -> [String] {
        _ = try await eventually { try await heard().contains(word) }
        return try await heard()
    }
}
#endif
