// SPDX-License-Identifier: MIT
#if Postgres
internal import IntegrationSupport
internal import LeaderElection
internal import LeaderElectionPostgres
internal import Testing

/// What a database can lose while somebody leads, with the server running on.
@Suite(.timeLimit(.minutes(2)))
struct LossTests {
    /// The other one has not written the record of the authority, but has met it.
    @Test(.needs(.postgres), arguments: ["TRUNCATE %", "DROP TABLE %", "TRUNCATE %, &", "DROP TABLE %, &"])
    func nothingIsGrantedForALeaseAfterTheTableWasEmptied(_ accident: String) async throws {
        try await TestDatabase.with { database in
            var holder = try Contender("holder", try database.provider())
            var other = try Contender("other", try database.provider())
            (holder.lease, other.lease) = (.seconds(2), .seconds(2))
            let term = try #require(try await holder.acquire().term)
            #expect(try await other.acquire().record?.term == term)
            let before = ContinuousClock.now
            let statement = accident.replacing("%", with: database.table).replacing("&", with: database.authority)
            try await database.run(statement)
            #expect(try await holder.renewSoon(term: term).isLost)
            // What was lost may still be relied on by its holder, until its time is up.
            #expect(try await other.acquireSoon() > term)
            #expect(ContinuousClock.now - before >= .seconds(2) - .milliseconds(50))
        }
    }

    @Test(.needs(.postgres)) func aClientThatKnewTheAuthorityGrantsNothingForALeaseWhenAllIsGone() async throws {
        try await TestDatabase.with { database in
            var holder = try Contender("holder", try database.provider())
            holder.lease = .seconds(2)
            let term = try #require(try await holder.acquire().term)
            try await database.run("DROP TABLE \(database.table), \(database.authority)")
            var again = try Contender("again", holder.provider)
            again.lease = .seconds(2)
            let before = ContinuousClock.now
            #expect(try await again.acquireSoon() > term)
            #expect(ContinuousClock.now - before >= .seconds(2) - .milliseconds(50))
        }
    }

    @Test(.needs(.postgres)) func aRewrittenAuthorityDefersGrantsButNotRenewals() async throws {
        try await TestDatabase.with { database in
            let holder = try Contender("holder", try database.provider())
            let term = try #require(try await holder.acquire().term)
            try await database.run("UPDATE \(database.authority) SET timeline = '0000ABCD'")
            let other = try Contender("other", try database.provider(), group: "other")
            let delay = try #require(try await other.acquire().delay)
            #expect(delay > .seconds(9) && delay <= .seconds(10))
            #expect(try await holder.renew(term: term).isRenewed)
            // The same nonce asks again, as after an answer that was lost.
            #expect(try await holder.acquire().term == term)
        }
    }

    @Test(.needs(.postgres)) func aQuarantineBeginsAlthoughTheLeaseIsHeld() async throws {
        try await TestDatabase.with { database in
            let holder = try Contender("holder", try database.provider())
            let term = try #require(try await holder.acquire().term)
            try await database.run("UPDATE \(database.authority) SET timeline = '0000ABCD'")
            // Else the release would have to wait for it, long after the leases of before are over.
            let other = try Contender("other", try database.provider())
            #expect(try await other.acquire().record?.term == term)
            let end = "no_grants_before > clock_timestamp() AND timeline <> '0000ABCD'"
            #expect(try await database.run("SELECT \(end) FROM \(database.authority)") == "t")
        }
    }

    @Test(.needs(.postgres)) func theQuarantineCanBeSwitchedOff() async throws {
        try await TestDatabase.with { database in
            let holder = try Contender("holder", try database.provider(quarantine: false))
            let term = try #require(try await holder.acquire().term)
            try await database.run("TRUNCATE \(database.table)")
            let other = try Contender("other", try database.provider(quarantine: false))
            #expect(try #require(try await other.acquire().term) > term)
        }
    }

    @Test(.needs(.postgres)) func damagedRowsHarmTheirOwnGroupOnly() async throws {
        try await TestDatabase.with { database in
            let good = try Contender("good", try database.provider(), group: "good")
            let bad = try Contender("bad", good.provider, group: "bad")
            let full = try Contender("full", good.provider, group: "full")
            for contender in [good, bad, full] { #expect(try await contender.acquire().term != nil) }
            try await database.run("UPDATE \(database.table) SET meta = '[1]' WHERE grp = 'bad'")
            try await database.run(
                "UPDATE \(database.table) SET term = 9223372036854775807, nonce = NULL WHERE grp = 'full'"
            )
            let requests = [bad, good, full].map { contender in
                AcquireRequest(
                    group: contender.group,
                    candidate: contender.candidate,
                    nonce: Nonce(),
                    leaseDuration: .seconds(10),
                    timeout: .seconds(5)
                )
            }
            let answers = try await good.provider.acquire(requests)
            guard case .unknown(let first as ElectionError) = answers[0], case .held = answers[1],
                case .unknown(let last as ElectionError) = answers[2]
            else {
                Issue.record("damaged, held, used up were answered \(answers)")
                return
            }
            #expect(first.code == .storeCorrupted && first.group == "bad")
            #expect(last.code == .storeCorrupted && last.group == "full")
        }
    }

    /// What people write into a row who want a leader to stay, or to go, harms no other group either.
    @Test(.needs(.postgres), arguments: ["infinity", "294276-12-31", "-infinity", "4713-01-01 BC"])
    func aTimeThatIsNoNumberIsOneOfARow(expires: String) async throws {
        try await TestDatabase.with { database in
            let odd = try Contender("odd", try database.provider(), group: "odd")
            let good = try Contender("good", odd.provider, group: "good")
            let oddTerm = try #require(try await odd.acquire().term)
            let goodTerm = try #require(try await good.acquire().term)
            try await database.run(
                """
                UPDATE \(database.table) SET expires = '\(expires)', seq = 9223372036854775807, ttl_ms = 9223372036854775807
                WHERE grp = 'odd'
                """
            )
            let isOver = expires.hasPrefix("-") || expires.hasSuffix("BC")
            let provider = try database.provider()
            let others = try ["odd", "good", "free"].map { try Contender("other", provider, group: $0) }
            let answers = try await provider.acquire(others.map { $0.request() })
            #expect((answers[0].term != nil) == isOver && answers[1].term == nil && answers[2].term != nil)
            for answer in try await provider.holders(of: others.map(\.group)) {
                guard case .held = answer else {
                    Issue.record("a lease that is held was answered \(answer)")
                    continue
                }
            }
            let renewals = try await odd.provider.renew([
                odd.renewRequest(term: oddTerm), good.renewRequest(term: goodTerm),
            ])
            #expect(renewals.map(\.isRenewed) == [!isOver, true])
        }
    }

    @Test(.needs(.postgres), arguments: ["off", "on"])
    func whatIsReliedOnIsDurableAndAReleaseIsNot(_ setting: String) async throws {
        try await TestDatabase.with { database in
            // Deferred triggers run at the commit, and see what it will go by.
            let contender = try Contender(
                "candidate",
                try database.provider(url: database.url + "?options=-c%20synchronous_commit%3D\(setting)")
            )
            let term = try #require(try await contender.acquire().term)
            try await database.run(
                """
                CREATE TABLE \(database.schema).seen (setting text);
                CREATE FUNCTION \(database.schema).see() RETURNS trigger LANGUAGE plpgsql AS
                $$ BEGIN INSERT INTO \(database.schema).seen VALUES (current_setting('synchronous_commit')); RETURN NULL; END $$;
                CREATE CONSTRAINT TRIGGER see AFTER UPDATE ON \(database.table) DEFERRABLE INITIALLY DEFERRED
                FOR EACH ROW EXECUTE FUNCTION \(database.schema).see()
                """
            )
            #expect(try await contender.renew(term: term).isRenewed)
            #expect(try await contender.release(term: term).isReleased)
            let next = try #require(try await contender.acquire().term)
            let heir = try Contender("heir", contender.provider)
            let last = try #require(try await contender.transfer(to: heir, term: next).term)
            var other = heir.releaseRequest(term: nil)
            other.group = try ElectionGroup("other")
            #expect(try await heir.provider.release([heir.releaseRequest(term: last), other])[0].isReleased)
            let seen = try await database.run("SELECT string_agg(setting, ' ') FROM \(database.schema).seen")
            #expect(seen == "on off on on off")
        }
    }
}
#endif
