// SPDX-License-Identifier: MIT
#if Consul
import LeaderElection
import Testing

@testable import LeaderElectionConsul

@Suite struct ClaimTests {
    private static let own = "11111111-1111-1111-1111-111111111111"
    private static let other = "22222222-2222-2222-2222-222222222222"
    private let nonce = Nonce()
    private let candidate = Candidate(id: "Zoë \"z\" 🦊", incarnation: Nonce(), metadata: ["a": "b", "ü": ""])

    private func request(previous: Nonce? = nil, observed: LeaseVersion? = nil) throws -> AcquireRequest {
        AcquireRequest(
            group: try ElectionGroup("g"),
            candidate: candidate,
            nonce: nonce,
            previousNonce: previous,
            observed: observed,
            leaseDuration: .seconds(10),
            timeout: .seconds(1)
        )
    }

    private func record(_ nonce: Nonce, lockDelay: Duration?, sequence: Int64 = 0, term: Int64? = nil) -> StoredRecord {
        StoredRecord(
            candidate: candidate,
            nonce: nonce,
            leaseDuration: .seconds(10),
            lockDelay: lockDelay,
            sequence: sequence,
            term: term
        )
    }

    private func entry(_ value: [UInt8], session: String? = nil, index: UInt64 = 7) -> KVEntry {
        KVEntry(key: "p/g/.lock", modifyIndex: index, flags: 0, session: session, value: value)
    }

    @Test func whatIsWrittenIsReadBack() {
        for record in [record(nonce, lockDelay: .zero), record(nonce, lockDelay: nil, sequence: 9, term: 4)] {
            #expect(StoredRecord(record.encoded) == record)
        }
        #expect(StoredRecord([]) == nil && StoredRecord(Array("{}".utf8)) == nil)
        #expect(StoredRecord.lastTerm(StoredRecord.released(lastTerm: 5)) == 5)
        #expect(StoredRecord(StoredRecord.released(lastTerm: 5)) == nil)
    }

    @Test func onlyAnHeirKeepsTheTermInWhichItWasHandedTheLease() throws {
        for lockDelay in [Duration.seconds(1), nil] {
            var handed = record(nonce, lockDelay: lockDelay)
            let session = lockDelay == nil ? nil : Self.other
            #expect(Claim.inheritedTerm(nonce, at: entry(handed.encoded, session: session)) == nil)
            handed.isHandover = true
            #expect(StoredRecord(handed.encoded) == handed)
            #expect(Claim.inheritedTerm(nonce, at: entry(handed.encoded, session: session)) == 7)
            #expect(Claim.inheritedTerm(Nonce(), at: entry(handed.encoded, session: session)) == nil)
            #expect(Claim.inheritedTerm(nonce, at: nil) == nil)
        }
        // What is left of a lease that has ended is nobody's.
        let left = StoredRecord(
            candidate: candidate,
            nonce: nonce,
            leaseDuration: .seconds(10),
            lockDelay: .zero,
            isHandover: true
        )
        #expect(Claim.inheritedTerm(nonce, at: entry(left.encoded)) == nil)
        let taken = entry(record(nonce, lockDelay: .zero, term: 7).encoded, session: Self.own, index: 9)
        #expect(KVState.lease(taken)?.term == 7)
        let handed = entry(left.encoded, session: Self.other)
        let (before, after) = (SeenKey(handed, at: .now).holder, SeenKey(taken, at: .now).holder)
        #expect(before == after, "nothing new to others")
    }

    @Test func whatNobodyHoldsIsFree() throws {
        let request = try request()
        let left = record(Nonce(), lockDelay: .zero).encoded
        for entry in [
            nil, entry([]), entry(StoredRecord.released(lastTerm: 5)), entry(Array("theirs".utf8)), entry(left),
        ] {
            #expect(Claim(request, at: entry, session: Self.own) == .free(entry))
            #expect(Claim(request, at: entry, session: nil) == .free(entry))
        }
    }

    @Test func theSameNonceOwnsItsLeaseInTheSameSessionOnly() throws {
        let stored = record(nonce, lockDelay: .seconds(1))
        let request = try request()
        let mine = entry(stored.encoded, session: Self.own)
        #expect(Claim(request, at: mine, session: Self.own) == .own(mine, stored))
        let stale = entry(stored.encoded, session: Self.other)
        #expect(Claim(request, at: stale, session: Self.own) == .free(stale), "in a larger term")
        let watched = record(nonce, lockDelay: nil)
        #expect(Claim(request, at: entry(watched.encoded), session: nil) == .own(entry(watched.encoded), watched))
    }

    @Test func anotherNonceIsAnotherHolderEvenInOurSession() throws {
        let entry = entry(record(Nonce(), lockDelay: .zero).encoded, session: Self.own)
        guard case .held(let lease) = Claim(try request(), at: entry, session: Self.own) else {
            Issue.record("taken")
            return
        }
        #expect(lease.term == 7 && !lease.isObserverTimed)
    }

    @Test func aPreviousNonceIsReplacedAndItsSessionGivenUpInOneStep() throws {
        let previous = Nonce()
        let entry = entry(record(previous, lockDelay: .zero).encoded, session: Self.other)
        #expect(Claim(try request(previous: previous), at: entry, session: Self.own) == .free(entry))
        let next = record(nonce, lockDelay: .zero)
        #expect(
            Claim.operations(key: entry.key, entry: entry, session: Self.own, record: next) == [
                .checkIndex(entry.key, 7), .unlock(entry.key, session: Self.other, value: []),
                .lock(entry.key, session: Self.own, value: next.encoded),
            ]
        )
    }

    @Test func onlyTheVersionThatWasWatchedIsTaken() throws {
        let entry = entry(record(Nonce(), lockDelay: nil, sequence: 3, term: 5).encoded)
        let version = LeaseVersion(term: 5, sequence: 3)
        #expect(Claim(try request(observed: version), at: entry, session: nil) == .free(entry))
        for version in [nil, LeaseVersion(term: 5, sequence: 2), LeaseVersion(term: 7, sequence: 3)] {
            guard case .held(let lease) = Claim(try request(observed: version), at: entry, session: nil) else {
                Issue.record("taken")
                continue
            }
            #expect(lease.isObserverTimed && lease.term == 5)
        }
    }

    @Test func aSessionsLeaseIsNotTakenByWatchingIt() throws {
        let entry = entry(record(Nonce(), lockDelay: .zero).encoded, session: Self.other)
        let version = LeaseVersion(term: 7, sequence: 0)
        guard case .held = Claim(try request(observed: version), at: entry, session: nil) else {
            Issue.record("taken")
            return
        }
    }

    @Test func everyTakingFailsIfTheEntryHasChanged() {
        let next = record(nonce, lockDelay: nil)
        #expect(
            Claim.operations(key: "k", entry: nil, session: nil, record: next) == [
                .compareAndSet("k", 0, flags: KVEntry.observedFlags, value: next.encoded)
            ]
        )
        #expect(
            Claim.operations(key: "k", entry: nil, session: Self.own, record: next) == [
                .checkMissing("k"), .lock("k", session: Self.own, value: next.encoded),
            ]
        )
        #expect(
            Claim.operations(key: "k", entry: entry([]), session: Self.own, record: next) == [
                .checkIndex("k", 7), .lock("k", session: Self.own, value: next.encoded),
            ]
        )
    }

    @Test func keysStandForGroupsAndBack() throws {
        let names = KeyNames(prefix: "p/")
        for name in ["plain", "with/slash", ".", "..", "a b", "é", "e\u{301}", "🦊", "%2E", ".lock"] {
            let group = try ElectionGroup(name)
            let key = names.key(group)
            #expect(key.utf8.allSatisfy { $0 > 0x20 && $0 < 0x7F })
            #expect(names.group(key) == group, "\(key)")
        }
        #expect(names.key(try ElectionGroup("a/b")) == "p/a%2Fb/.lock")
        for key in ["p/.lock", "p/a", "q/a/.lock", "p/a/b/.lock", "p/%zz/.lock", "p/a%2fb/.lock"] {
            #expect(names.group(key) == nil, "\(key)")
        }
    }

    @Test func aChangeIsToldAsWhatItIs() {
        let held = SeenKey(entry(record(nonce, lockDelay: .zero).encoded, session: Self.own), at: .now)
        let free = SeenKey(entry(StoredRecord.released(lastTerm: 7), index: 8), at: .now)
        let first = SeenKey(entry(record(nonce, lockDelay: nil).encoded, index: 9), at: .now)
        let renewed = SeenKey(entry(record(nonce, lockDelay: nil, sequence: 1, term: 9).encoded, index: 10), at: .now)
        #expect(SeenKey.Change("k", from: held, to: free)?.kind == .freed)
        #expect(SeenKey.Change("k", from: held, to: nil)?.kind == .freed)
        #expect(SeenKey.Change("k", from: free, to: held)?.kind == .taken(nonce))
        #expect(SeenKey.Change("k", from: nil, to: held)?.kind == .taken(nonce))
        #expect(SeenKey.Change("k", from: held, to: first)?.kind == .changed)
        #expect(SeenKey.Change("k", from: first, to: renewed) == nil, "a renewal is no news")
        #expect(SeenKey.Change("k", from: free, to: nil)?.kind == .freed, "taken, released and removed in between")
        #expect(SeenKey.Change("k", from: nil, to: free)?.kind == .freed, "taken and released in between")
    }

    @Test func whatIsLostIsToldFromWhatIsOlder() throws {
        let group = try ElectionGroup("g")
        let value = record(nonce, lockDelay: .zero).encoded
        func settle(_ index: UInt64, _ entry: KVEntry?) -> [ElectionGroup] {
            let held = HeldLeases()
            held[group] = HeldLease(nonce: nonce, term: 7, index: 7, keeper: .session(Self.own))
            return held.settle(at: index) { _ in entry.map { SeenKey($0, at: .now) } }
        }
        #expect(settle(6, nil) == [], "read before it was written")
        #expect(settle(7, entry(value, session: Self.own)) == [])
        #expect(settle(8, nil) == [group], "deleted")
        #expect(settle(8, entry(value, index: 8)) == [group], "its session has ended")
        #expect(settle(8, entry(value, session: Self.other, index: 8)) == [group])
        #expect(settle(9, entry(record(Nonce(), lockDelay: .zero).encoded, session: Self.own, index: 9)) == [group])
    }

    @Test func aLeaseThatItsOwnRenewalChangedIsNotLost() {
        let lease = HeldLease(nonce: nonce, term: 7, index: 8, keeper: .candidates(record(nonce, lockDelay: nil)))
        let renewed = record(nonce, lockDelay: nil, sequence: 2, term: 7)
        #expect(SeenKey(entry(renewed.encoded, index: 9), at: .now).shows(lease))
        #expect(!SeenKey(entry(renewed.encoded, session: Self.own, index: 9), at: .now).shows(lease))
        let other = record(Nonce(), lockDelay: nil, sequence: 2, term: 7)
        #expect(!SeenKey(entry(other.encoded, index: 9), at: .now).shows(lease))
        #expect(!SeenKey(entry(StoredRecord.released(lastTerm: 7), index: 9), at: .now).shows(lease))
    }
}
#endif
