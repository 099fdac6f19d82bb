// SPDX-License-Identifier: MIT
#if Postgres
internal import IntegrationSupport
internal import LeaderElection
internal import LeaderElectionPostgres
internal import Testing

/// A lease that its holder gives to a candidate of its choice.
@Suite(.timeLimit(.minutes(2)))
struct TransferTests {
    @Test(.needs(.postgres, .pgbouncer), arguments: [Backend.postgres, .pgbouncer])
    func theHeirHoldsTheLeaseInALargerTerm(_ backend: Backend) async throws {
        try await TestDatabase.with { database in
            let holder = try Contender("holder", try database.provider(url: backend.url))
            let heir = try Contender("heir", try database.provider(url: backend.url))
            let term = try await holder.acquireSoon()
            #expect(try await heir.acquire().record?.term == term)
            let next = try #require(try await holder.transfer(to: heir, term: term).term)
            #expect(next > term)
            // The old holder has nothing left, before the heir knows of it.
            #expect(try await holder.renew(term: term).isLost)
            #expect(try await holder.transfer(to: heir, term: term).isNotHeld)
            guard case .notHeld = try await holder.release(term: term) else {
                Issue.record("the lease was released by its old holder")
                return
            }
            let record = try #require(try await holder.acquire().record)
            #expect(record.term == next && record.holder == heir.candidate)
            #expect(record.sequence == 0 && record.leaseDuration == holder.lease)
            #expect(try #require(record.remaining) > .seconds(8))
            #expect(try await heir.acquire().term == next)
            #expect(try await heir.renew(term: next).isRenewed)
            #expect(try await heir.release(term: next).isReleased)
            #expect(try await holder.acquireSoon() > next)
        }
    }

    @Test(.needs(.postgres)) func everybodyIsToldThatItChanged() async throws {
        try await TestDatabase.with { database in
            let holder = try Contender("holder", try database.provider())
            let heir = try Contender("heir", try database.provider())
            let hints = [Hints(of: holder.provider), Hints(of: heir.provider)]
            #expect(try await eventually { hints.allSatisfy { $0.resyncs > 0 } })
            let term = try await holder.acquireSoon()
            #expect(try await holder.transfer(to: heir, term: term).term != nil)
            for hints in hints { #expect(try await eventually { hints.all.contains(.changed(holder.group)) }) }
        }
    }

    @Test(.needs(.postgres)) func nothingMovesWithoutNonceTermAndTime() async throws {
        try await TestDatabase.with { database in
            let holder = try Contender("holder", try database.provider())
            let heir = try Contender("heir", try database.provider())
            let term = try await holder.acquireSoon()
            let stranger = try Contender("stranger", holder.provider)
            #expect(try await stranger.transfer(to: heir, term: term).isNotHeld)
            #expect(try await holder.transfer(to: heir, term: term - 1).isNotHeld)
            #expect(try await Contender("holder", holder.provider, group: "none").transfer(to: heir, term: 1).isNotHeld)
            #expect(try await holder.renew(term: term).isRenewed)
            try await database.run("UPDATE \(database.table) SET expires = clock_timestamp()")
            #expect(try await holder.transfer(to: heir, term: term).isNotHeld)
            guard case .free(let last) = try await heir.holder() else {
                Issue.record("an expired lease was revived")
                return
            }
            #expect(last == term)
        }
    }

    @Test(.needs(.postgres)) func anHeirThatNeverAsksLosesItLikeAnyOther() async throws {
        try await TestDatabase.with { database in
            var holder = try Contender("holder", try database.provider())
            let heir = try Contender("heir", holder.provider)
            let term = try await holder.acquireSoon()
            holder.lease = .seconds(1)
            let next = try #require(try await holder.transfer(to: heir, term: term).term)
            let third = try Contender("third", try database.provider())
            #expect(try await third.acquireSoonAfterExpiry() > next)
        }
    }

    @Test(.needs(.postgres)) func aFencedTransactionIsNeitherBrokenNorWaitedFor() async throws {
        try await TestDatabase.with { database in
            let holder = try Contender("holder", try database.provider())
            let heir = try Contender("heir", try database.provider())
            let term = try await holder.acquireSoon()
            let session = TestSession(database.url)
            try await session.run("BEGIN")
            let row = "SELECT 1 FROM \(database.table) WHERE grp = 'group' AND term = \(term) FOR KEY SHARE"
            try await session.run(row)
            let start = ContinuousClock.now
            guard case .refused(let reason) = try await holder.transfer(to: heir, term: term) else {
                Issue.record("the lease was moved under a fenced transaction")
                return
            }
            #expect(reason.contains("transaction"))
            #expect(ContinuousClock.now - start < .seconds(2))
            // Nothing was changed.
            #expect(try await holder.renew(term: term).isRenewed)
            try await session.run("COMMIT")
            #expect(try await holder.transfer(to: heir, term: term).term ?? 0 > term)
        }
    }

    @Test(.needs(.postgres)) func aLongerLeaseOfTheHeirIsKnownToTheQuarantine() async throws {
        try await TestDatabase.with { database in
            var holder = try Contender("holder", try database.provider())
            let heir = try Contender("heir", holder.provider)
            let other = try Contender("other", holder.provider, group: "other")
            let terms = [try await holder.acquireSoon(), try await other.acquireSoon()]
            holder.lease = .seconds(77)
            let requests = [holder.handOver(to: heir, term: terms[0]), other.handOver(to: heir, term: terms[1])]
            let answers = try await holder.provider.transfer(requests)
            #expect(answers.map { $0.term != nil } == [true, true], "\(answers)")
            #expect(try await database.run("SELECT longest_lease_ms FROM \(database.authority)") == "77000")
            #expect(try await heir.acquire().term == answers[0].term)
        }
    }

    @Test(.needs(.postgres)) func aQuarantineHoldsUpNoTransfer() async throws {
        try await TestDatabase.with { database in
            let holder = try Contender("holder", try database.provider())
            let heir = try Contender("heir", try database.provider())
            let term = try await holder.acquireSoon()
            try await database.run("UPDATE \(database.authority) SET timeline = '0000ABCD'")
            let other = try Contender("other", try database.provider(), group: "other")
            #expect(try await other.acquire().delay != nil)
            let next = try #require(try await holder.transfer(to: heir, term: term).term)
            #expect(try await heir.acquire().term == next)
        }
    }

    @Test(.needs(.postgres)) func nobodySlipsInBetween() async throws {
        try await TestDatabase.with { database in
            let members = try (0..<3).map { try Contender("member \($0)", try database.provider()) }
            let thief = try Contender("thief", try database.provider())
            var term = try await members[0].acquireSoon()
            for round in 0..<100 {
                let (holder, heir) = (members[round % 3], members[(round + 1) % 3])
                async let stolen = thief.acquire()
                let next = try #require(try await holder.transfer(to: heir, term: term).term, "round \(round)")
                #expect(next > term)
                #expect(try await stolen.term == nil)
                term = next
            }
        }
    }
}

extension Contender {
    func handOver(to heir: Contender, term: Int64) -> TransferRequest {
        TransferRequest(
            group: group,
            nonce: nonce,
            term: term,
            heir: heir.candidate,
            heirNonce: heir.nonce,
            leaseDuration: lease,
            timeout: timeout
        )
    }

    func transfer(to heir: Contender, term: Int64) async throws -> TransferAnswer {
        try await provider.transfer([handOver(to: heir, term: term)])[0]
    }
}

extension TransferAnswer {
    var term: Int64? {
        if case .transferred(let term) = self { term } else { nil }
    }
    var isNotHeld: Bool {
        if case .notHeld = self { true } else { false }
    }
}
#endif
