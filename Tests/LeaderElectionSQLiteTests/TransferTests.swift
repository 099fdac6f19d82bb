// SPDX-License-Identifier: MIT
#if SQLite
internal import ElectionFiles
internal import LeaderElection
internal import Synchronization
internal import Testing

@testable internal import LeaderElectionSQLite

#if canImport(Glibc)
internal import Glibc
#elseif canImport(Musl)
internal import Musl
#else
internal import Darwin
#endif

@Suite(.timeLimit(.minutes(1)))
struct TransferTests {
    private let directory: TemporaryDirectory
    private let clock = StoppedClock()
    private let group: ElectionGroup

    init() throws {
        directory = try TemporaryDirectory()
        group = try ElectionGroup("orders")
    }

    private func transfer(_ leader: Contender, term: Int64, to heir: Contender) async throws -> Int64? {
        let request = TransferRequest(
            group: group,
            nonce: leader.nonce,
            term: term,
            heir: heir.candidate,
            heirNonce: heir.nonce,
            leaseDuration: .lease,
            timeout: .patience
        )
        guard case .transferred(let term) = try await leader.provider.transfer([request])[0] else { return nil }
        return term
    }

    private func value(_ column: String) throws -> String? {
        try SQLiteHandle(path: directory.database, createIfMissing: false)
            .execute("SELECT coalesce(\(column), 'none') FROM leader_election_lease")
    }

    @Test func theRowNamesNoProcessUntilTheHeirAsks() async throws {
        let leader = Contender("leader", try directory.provider(clock: clock))
        let heir = Contender("heir", try directory.provider(clock: clock), metadata: ["a": "ü=\n"])
        let term = try #require(try await leader.acquire(group).term)
        #expect(try await heir.acquire(group).record != nil)
        let next = try #require(try await transfer(leader, term: term, to: heir))
        #expect(try value("process_lock") == "none")
        let record = try #require(try await leader.holder(group).record)
        #expect(record.holder == heir.candidate)
        #expect(record.term == next)
        #expect(record.remaining == .lease)
        #expect(try await heir.acquire(group).term == next)
        let name = heir.provider.store.processLock.withLock { $0?.name }
        #expect(try value("process_lock") == name)
        #expect(name != nil)
    }

    /// The end of the old holder's process, before and after the heir has asked, frees nothing.
    @Test(arguments: [false, true])
    func theEndOfTheOldHoldersProcessIsNotTheHeirs(_ hasAsked: Bool) async throws {
        let heir = Contender("heir", try directory.provider(clock: clock))
        func leadAndGo() async throws -> (Int64, String) {
            let leader = Contender("leader", try directory.provider(clock: clock))
            let term = try #require(try await leader.acquire(group).term)
            let next = try #require(try await transfer(leader, term: term, to: heir))
            if hasAsked { #expect(try await heir.acquire(group).term == next) }
            let name = try #require(leader.provider.store.processLock.withLock { $0?.name })
            await finish(leader.provider.store.thread)
            return (next, name)
        }
        let (term, name) = try await leadAndGo()
        #expect(await eventually { !directory.names.contains(name) })
        // As it is after a kill: a file that is there and that nobody has locked.
        guard case .won(let lock, _) = try FileLock.attempt(path: directory.path + "/" + name) else {
            Issue.record("the file of a process that ended is locked")
            return
        }
        lock.release()
        let waiting = Contender("waiting", try directory.provider(clock: clock))
        #expect(try await waiting.acquire(group).record?.term == term)
        #expect(!directory.names.contains(name), "the file was not even found")
        #expect(try await heir.acquire(group).term == term)
    }

    #if os(Linux)
    @Test func aProcessThatIsKilledAfterATransferTakesNothingAlong() async throws {
        let heirsNonce = Nonce(high: 1, low: 2)
        await #expect(processExitsWith: .signal(SIGKILL)) { [path = directory.database as String] in
            let leader = Contender("leader", try SQLiteElectionProvider(path: path))
            let group = try ElectionGroup("orders")
            guard let term = try await leader.acquire(group).term else { return }
            let request = TransferRequest(
                group: group,
                nonce: leader.nonce,
                term: term,
                heir: Candidate(id: "heir", incarnation: Nonce()),
                heirNonce: Nonce(high: 1, low: 2),
                leaseDuration: .lease,
                timeout: .patience
            )
            if case .transferred = try await leader.provider.transfer([request])[0] { kill(getpid(), SIGKILL) }
        }
        // The dead process's file is still there, and nobody has locked it.
        #expect(directory.processFiles.count == 1)
        let waiting = Contender("waiting", try directory.provider())
        let record = try #require(try await waiting.acquire(group).record)
        #expect(record.holder.id == "heir")
        var heir = Contender("heir", try directory.provider())
        heir.nonce = heirsNonce
        #expect(try await heir.acquire(group).term == record.term)
        #expect(try await waiting.acquire(group).record?.term == record.term)
    }
    #endif

    @Test func anHeirThatIsGoneHoldsTheGroupUpForItsLeaseOnly() async throws {
        let leader = Contender("leader", try directory.provider(clock: clock))
        let term = try #require(try await leader.acquire(group).term)
        clock.advance(by: .lease / 2)
        let next = try #require(try await transfer(leader, term: term, to: Contender("heir", leader.provider)))
        clock.advance(by: .lease - .nanoseconds(1))
        let waiting = Contender("waiting", try directory.provider(clock: clock))
        #expect(try await waiting.acquire(group).record != nil)
        clock.advance(by: .nanoseconds(1))
        #expect(try await waiting.acquire(group).term ?? 0 > next)
    }

    /// Its boot clock cannot be compared with ours, so that nobody knows whether the lease still runs.
    @Test func aLeaseOfAnotherClockDomainIsNotTransferred() async throws {
        let leader = Contender("leader", try directory.provider(clock: clock, domain: "boot 1"))
        let term = try #require(try await leader.acquire(group).term)
        var restored = Contender("leader", try directory.provider(clock: clock, domain: "boot 2"))
        restored.nonce = leader.nonce
        #expect(try await transfer(restored, term: term, to: Contender("heir", leader.provider)) == nil)
        #expect(try await leader.renew(group, term: term).isRenewed)
    }

    @Test func aTransferReachesTheHeirAndWhoeverElseWaits() async throws {
        let leader = Contender("leader", try directory.provider())
        let (heir, other) = (Contender("heir", try directory.provider()), Contender("other", try directory.provider()))
        let term = try #require(try await leader.acquire(group).term)
        var heirsHints = await Hints(of: heir.provider)
        var othersHints = await Hints(of: other.provider)
        #expect(try await heir.acquire(group).record != nil)
        #expect(try await other.acquire(group).record != nil)
        let next = try await transfer(leader, term: term, to: heir)
        #expect(next != nil)
        #expect(await heirsHints.next() == .changed(group))
        #expect(await othersHints.next() == .changed(group))
        #expect(try await other.acquire(group).record?.term == next)
        #expect(try await heir.acquire(group).term == next)
    }

    /// An acquisition that only confirms what was ours must not count as the next change of the database.
    @Test func afterTheHeirHasAskedItStillHearsOfTheVeryNextChange() async throws {
        let other = try ElectionGroup("other")
        let leader = Contender("leader", try directory.provider())
        let heir = Contender("heir", try directory.provider())
        let term = try #require(try await leader.acquire(group).term)
        let otherTerm = try #require(try await leader.acquire(other).term)
        #expect(try await heir.acquire(group).record != nil)
        #expect(try await heir.acquire(other).record != nil)
        var hints = await Hints(of: heir.provider)
        let next = try await transfer(leader, term: term, to: heir)
        #expect(await hints.next() == .changed(group))
        #expect(try await heir.acquire(group).term == next)
        #expect(try await leader.release(other, term: otherTerm).isReleased)
        #expect(await hints.next() == .changed(other))
    }
}
#endif
