// SPDX-License-Identifier: MIT
#if SQLite
internal import ElectionStores
internal import LeaderElection
internal import Testing

@testable internal import LeaderElectionSQLite

@Suite(.timeLimit(.minutes(1)))
struct LeaseRuleTests {
    private let directory: TemporaryDirectory
    private let clock = StoppedClock()
    private let group: ElectionGroup

    init() throws {
        directory = try TemporaryDirectory()
        group = try ElectionGroup("orders")
    }

    /// One row of the truth table of acquisition: what the challenger finds, and what it asks with.
    enum Situation: CaseIterable {
        case released, expired, ownNonce, ownNonceExpired, previousNonce, observed
        case alive, observedOlderSequence, observedOtherTerm, foreignPrevious
        case otherDomain, otherDomainExpired, otherDomainObserved

        var isGranted: Bool {
            switch self {
            case .released, .expired, .ownNonce, .ownNonceExpired, .previousNonce, .observed,
                .otherDomainObserved:
                true
            case .alive, .observedOlderSequence, .observedOtherTerm, .foreignPrevious, .otherDomain,
                .otherDomainExpired:
                false
            }
        }
    }

    @Test(arguments: Situation.allCases)
    func aLeaseIsGrantedExactlyWhenItIsFree(_ situation: Situation) async throws {
        let holder = Contender("holder", try directory.provider(clock: clock, domain: "boot 1"))
        let first = try #require(try await holder.acquire(group).term)
        #expect(try await holder.renew(group, term: first).isRenewed)

        let isElsewhere = [.otherDomain, .otherDomainExpired, .otherDomainObserved].contains(situation)
        let provider = try directory.provider(clock: clock, domain: isElsewhere ? "boot 2" : "boot 1")
        var challenger = Contender("challenger", provider)
        var previous: Nonce?
        var observed: LeaseVersion?
        switch situation {
        case .alive, .otherDomain: break
        case .released: #expect(try await holder.release(group, term: first).isReleased)
        case .expired, .otherDomainExpired: clock.advance(by: .lease)
        case .ownNonce: challenger.nonce = holder.nonce
        case .ownNonceExpired:
            challenger.nonce = holder.nonce
            clock.advance(by: .lease)
        case .previousNonce: previous = holder.nonce
        case .foreignPrevious: previous = Nonce()
        case .observed, .otherDomainObserved: observed = LeaseVersion(term: first, sequence: 1)
        case .observedOlderSequence: observed = LeaseVersion(term: first, sequence: 0)
        case .observedOtherTerm: observed = LeaseVersion(term: first + 1, sequence: 1)
        }
        let before = provider.writeTransactions
        let answer = try await challenger.acquire(group, previous: previous, observed: observed)
        if situation.isGranted {
            let term = try #require(answer.term)
            if situation == .ownNonce { #expect(term == first) } else { #expect(term > first) }
            let record = try #require(try await challenger.holder(group).record)
            #expect(record.term == term)
            #expect(record.holder.id == "challenger")
            #expect(record.remaining == .lease)
            #expect(record.version != LeaseVersion(term: first, sequence: 1))
        } else {
            let record = try #require(answer.record)
            #expect(record.holder == holder.candidate)
            #expect(record.version == LeaseVersion(term: first, sequence: 1))
            #expect(record.isObserverTimed == isElsewhere)
            #expect(record.remaining == (isElsewhere ? nil : .lease))
            #expect(record.leaseDuration == .lease)
            #expect(provider.writeTransactions == before, "a candidate that waits must not write")
        }
    }

    /// Why a renewal must fail.
    enum Obstacle: CaseIterable {
        case timeIsUp, released, otherNonce, otherTerm, otherDomain
    }

    @Test(arguments: Obstacle.allCases)
    func aRenewalNeverRevivesALease(_ obstacle: Obstacle) async throws {
        let holder = Contender("holder", try directory.provider(clock: clock, domain: "boot 1"))
        let term = try #require(try await holder.acquire(group).term)
        let answer: RenewAnswer
        switch obstacle {
        case .timeIsUp:
            clock.advance(by: .lease)
            answer = try await holder.renew(group, term: term)
        case .released:
            #expect(try await holder.release(group, term: term).isReleased)
            answer = try await holder.renew(group, term: term)
        case .otherNonce: answer = try await holder.renew(group, term: term, nonce: Nonce())
        case .otherTerm: answer = try await holder.renew(group, term: term - 1)
        case .otherDomain:
            var restored = Contender("holder", try directory.provider(clock: clock, domain: "boot 2"))
            restored.nonce = holder.nonce
            answer = try await restored.renew(group, term: term)
        }
        #expect(answer.isLost)
    }

    @Test func aRenewalProlongsTheLeaseAndALostOneNamesTheNewHolder() async throws {
        let provider = try directory.provider(clock: clock)
        let (old, new) = (Contender("old", provider), Contender("new", provider))
        let term = try #require(try await old.acquire(group).term)
        clock.advance(by: .nanoseconds(9_999_999_999))
        #expect(try await old.renew(group, term: term).isRenewed)
        #expect(try await old.holder(group).record?.remaining == .lease)
        clock.advance(by: .lease)
        #expect(try await new.acquire(group).term ?? 0 > term)
        #expect(try await old.renew(group, term: term).newHolder?.holder == new.candidate)
    }

    @Test func onlyTheHolderReleases() async throws {
        let provider = try directory.provider(clock: clock)
        let (holder, other) = (Contender("holder", provider), Contender("other", provider))
        let term = try #require(try await holder.acquire(group).term)
        #expect(try await !other.release(group, term: term).isReleased)
        #expect(try await !other.release(group, term: nil).isReleased)
        #expect(try await !holder.release(group, term: term + 1).isReleased)
        #expect(try await holder.holder(group).record?.term == term)
        #expect(try await holder.release(group, term: nil).isReleased)
        guard case .free(lastTerm: term) = try await holder.holder(group) else {
            Issue.record("the lease is not free, or its term is forgotten")
            return
        }
    }

    /// The read that comes first spares a write; it must not be what decides.
    @Test(arguments: [("boot 1", 0), ("boot 2", 3600)])
    func theStatementThatWritesDecidesForItself(_ domain: String, _ later: Int64) async throws {
        let holder = Contender("holder", try directory.provider(clock: clock, domain: "boot 1"))
        #expect(try await holder.acquire(group).term != nil)
        let handle = try SQLiteHandle(path: directory.database, createIfMissing: false)
        let now = clock.now.nanoseconds + later * 1_000_000_000
        var isGranted = false
        try handle.run(
            .acquire,
            .text(group.name),
            .nonce(Nonce()),
            .text("thief"),
            .nonce(Nonce()),
            .text("{}"),
            .integer(10_000),
            .integer(now),
            .integer(now + 10_000_000_000),
            .text(domain),
            .null,
            .integer(1),
            .integer(1),
            .null,
            .null,
            .null
        ) { _ in isGranted = true }
        #expect(!isGranted)
        #expect(try await holder.holder(group).record?.holder == holder.candidate)
    }

    @Test func termsGrowWhateverHappensToTheDatabase() async throws {
        var last: Int64 = 0
        for step in 0..<4 {
            let (term, thread) = try await leadOnce()
            // When the thread is done, the connection is closed and the file of the process is gone.
            await finish(thread)
            #expect(term > last)
            last = term
            switch step {
            case 0: clock.turnWallClock(by: .seconds(-3600))
            case 1: clock.turnWallClock(by: .seconds(7200))
            default:
                clock.advance(by: .seconds(60))
                try directory.removeDatabase()
            }
        }
    }

    private func leadOnce() async throws -> (term: Int64, SerialThread) {
        let contender = Contender("a", try directory.provider(clock: clock))
        let term = try #require(try await contender.acquire(group).term)
        #expect(try await contender.release(group, term: term).isReleased)
        return (term, contender.provider.store.thread)
    }

    @Test func aThousandRenewalsAreOneTransaction() async throws {
        let provider = try directory.provider()
        let candidate = Candidate(id: "a", incarnation: Nonce())
        let leases = try (0..<1000).map { (try ElectionGroup("group \($0)"), Nonce()) }
        let answers = try await provider.acquire(
            leases.map { group, nonce in
                AcquireRequest(
                    group: group,
                    candidate: candidate,
                    nonce: nonce,
                    leaseDuration: .seconds(60),
                    timeout: .patience
                )
            }
        )
        let renewals = try zip(leases, answers).map { lease, answer in
            RenewRequest(
                group: lease.0,
                nonce: lease.1,
                term: try #require(answer.term),
                leaseDuration: .seconds(60),
                timeout: .patience
            )
        }
        let before = provider.writeTransactions
        let renewed = try await provider.renew(renewals)
        #expect(provider.writeTransactions - before == 1)
        #expect(renewed.count { $0.isRenewed } == 1000)
    }

    @Test func namesAndMetadataComeBackAsTheyWent() async throws {
        let provider = try directory.provider()
        let metadata = ["address": "http://[::1]:80/\"x\"\\", "weird\u{1}\nkey": "🗳️é", "": ""]
        for name in ["it's", "é", "e\u{301}", "\" OR 1=1 --", "🗳️", String(repeating: "x", count: 200)] {
            let contender = Contender(name, provider, metadata: metadata)
            let group = try ElectionGroup(name)
            #expect(try await contender.acquire(group).term != nil, "\(name) is not a group of its own")
            #expect(try await contender.holder(group).record?.holder == contender.candidate)
        }
    }

    @Test(arguments: ["", ":memory:", "file:x.db", "/tmp/"])
    func aPathThatNamesNoFileIsRefused(_ path: String) {
        let error = #expect(throws: ElectionError.self) { try SQLiteElectionProvider(path: path) }
        #expect(error?.code == .invalidConfiguration)
    }

    @Test(arguments: ["", "[]", "{\"a\":1}", "{\"a\":\"b\"", "{\"a\":\"b\"}x", "{\"a\":\"\\u12\"}", "{,}"])
    func onlyObjectsOfStringsAreMetadata(_ text: String) {
        #expect(MetadataText.decode(text) == nil)
    }

    @Test func metadataMayBeWrittenByHand() {
        let text = " { \"a\" : \"\\u0041\\n\\/\\ud83d\\uddf3\" , \"b\":\"\",\"é🗳\":\"e\u{301}\"} "
        #expect(MetadataText.decode(text) == ["a": "A\n/🗳", "b": "", "é🗳": "e\u{301}"])
    }
}
#endif
