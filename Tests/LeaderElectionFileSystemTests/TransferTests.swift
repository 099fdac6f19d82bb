// SPDX-License-Identifier: MIT

internal import ElectionFiles
internal import LeaderElection
internal import LeaderElectionTesting
internal import Testing

@testable internal import LeaderElectionFileSystem

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
    private let clock = ManualClock()
    private let group: ElectionGroup
    private let leader: Contender
    private let heir: Contender
    private let other: Contender
    private let nonce = Nonce()
    private let heirsNonce = Nonce()

    init() throws {
        directory = try TemporaryDirectory()
        group = try ElectionGroup("a/b")
        leader = Contender(provider: directory.provider(clock: clock))
        heir = Contender(provider: directory.provider(clock: clock))
        other = Contender(provider: directory.provider(clock: clock))
    }

    private var heirFile: String { directory.file("a%2Fb.heir") }

    private func reservation(_ change: (inout Reservation) -> Void, after term: Int64) throws {
        var reservation = Reservation(
            heir: heirsNonce,
            term: term,
            domain: ClockDomain.current ?? "",
            deadline: clock.now.advanced(by: .seconds(2))
        )
        change(&reservation)
        try leave(reservation.bytes)
    }

    private func leave(_ bytes: [UInt8]) throws {
        try replaceFile(named: "a%2Fb.heir", in: directory.path, with: bytes, temporaryName: ".new-test")
    }

    @Test func theHeirFindsTheLockFreeAndNothingIsLeftOfTheReservation() async throws {
        let term = try await leader.acquire(group, nonce).granted()
        #expect(try await heir.acquire(group, heirsNonce).record?.term == term)
        #expect(try await leader.transfer(group, nonce, term, to: heirsNonce).isTransferred)
        #expect(try await other.holder(group).isFree)
        #expect(TemporaryDirectory.names(in: directory.path).contains("a%2Fb.heir"))
        let next = try await heir.acquire(group, heirsNonce).granted()
        #expect(next > term)
        #expect(!TemporaryDirectory.names(in: directory.path).contains("a%2Fb.heir"))
        #expect(try await other.acquire(group).record?.term == next)
    }

    @Test func anHeirThatNeverComesIsWaitedForTwoSeconds() async throws {
        let term = try await leader.acquire(group, nonce).granted()
        #expect(try await leader.transfer(group, nonce, term, to: heirsNonce).isTransferred)
        #expect(try await other.acquire(group).delay == .seconds(2))
        clock.advance(by: .seconds(2) - .nanoseconds(1))
        #expect(try await other.acquire(group).delay == .nanoseconds(1))
        clock.advance(by: .nanoseconds(1))
        let next = try await other.acquire(group).granted()
        #expect(next > term)
        #expect(try await heir.acquire(group, heirsNonce).record?.term == next)
    }

    /// A holder that is killed between its two steps: put aside, but not unlocked by itself.
    @Test func aHolderThatDiesInTheMiddleLeavesTheLeaseToTheHeir() async throws {
        func leadAndGo() async throws -> Int64 {
            try await Contender(provider: directory.provider(clock: clock)).acquire(group, nonce).granted()
        }
        let term = try await leadAndGo()
        #expect(await eventually { (try? FileLock.isHeld(path: directory.file("a%2Fb.lock"))) == false })
        try reservation({ _ in }, after: term)
        #expect(try await other.acquire(group).delay == .seconds(2))
        #expect(try await heir.acquire(group, heirsNonce).granted() > term)
    }

    enum Flaw: CaseIterable {
        case ofAnEarlierTerm, ofALaterTerm, ofAnotherBoot, tooLong, over, damaged, empty
    }

    @Test(arguments: Flaw.allCases)
    func aReservationThatIsVoidKeepsNobodyOff(_ flaw: Flaw) async throws {
        let term = try await leader.acquire(group, nonce).granted()
        _ = try await leader.release(group, nonce, term)
        switch flaw {
        case .ofAnEarlierTerm: try reservation({ $0.term -= 1 }, after: term)
        case .ofALaterTerm: try reservation({ $0.term += 1 }, after: term)
        case .ofAnotherBoot: try reservation({ $0.domain = "another boot" }, after: term)
        case .tooLong: try reservation({ $0.deadline = $0.deadline.advanced(by: .nanoseconds(1)) }, after: term)
        case .over: try reservation({ $0.deadline = clock.now }, after: term)
        case .damaged: try leave([UInt8](repeating: 0xFF, count: 100))
        case .empty: try leave([])
        }
        #expect(try await other.acquire(group).granted() > term)
    }

    @Test func aReservationIsReadAsItWasWrittenAndNothingElseIs() {
        let reservation = Reservation(
            heir: Nonce(),
            term: 7,
            domain: "boot/time:[1]",
            deadline: ElectionInstant(nanoseconds: 9)
        )
        #expect(Reservation(parsing: reservation.bytes) == reservation)
        for count in 0..<reservation.bytes.count {
            #expect(Reservation(parsing: Array(reservation.bytes.prefix(count))) == nil)
        }
        #expect(Reservation(parsing: reservation.bytes + reservation.bytes) == nil)
    }

    @Test func aLeaseThatCannotBePutAsideStaysWhereItIs() async throws {
        let term = try await leader.acquire(group, nonce).granted()
        try makeDirectory(heirFile)
        let reason = try await leader.transfer(group, nonce, term, to: heirsNonce).reason
        #expect(reason?.contains(heirFile) == true)
        #expect(try await leader.renew(group, nonce, term).isRenewed)
        #expect(try await other.acquire(group).record?.term == term)
        #expect(try await leader.release(group, nonce, term).isReleased)
    }

    @Test func aLeaseWhoseFileWasDeletedIsNotTransferred() async throws {
        let term = try await leader.acquire(group, nonce).granted()
        unlink(directory.file("a%2Fb.lock"))
        guard case .notHeld = try await leader.transfer(group, nonce, term, to: heirsNonce) else {
            throw TestFailure(text: "a lease was transferred whose lock is on a file that is gone")
        }
        #expect(try await leader.renew(group, nonce, term).isLost)
    }

    #if os(Linux)
    @Test func ofManyWhoWaitTheHeirIsTheOneWhoFindsTheLockFree() async throws {
        var waiting: [(contender: Contender, nonce: Nonce, hints: Hints)] = []
        for _ in 0..<6 {
            let contender = Contender(provider: directory.provider(clock: clock))
            waiting.append((contender, Nonce(), try await contender.hints(of: group)))
        }
        var (holder, held) = (leader, nonce)
        var term = try await leader.acquire(group, nonce).granted()
        for round in 0..<12 {
            let next = waiting[round % waiting.count]
            for waiting in waiting where waiting.nonce != held {
                #expect(try await waiting.contender.acquire(group, waiting.nonce).record?.term == term)
                waiting.hints.forget()
            }
            #expect(try await holder.transfer(group, held, term, to: next.nonce).isTransferred)
            #expect(await eventually { next.hints.all.contains(.changed(group)) })
            var answer = try await next.contender.acquire(group, next.nonce)
            // At most its own early attempt is in its way.
            while answer.term == nil {
                #expect(answer.record == nil)
                answer = try await next.contender.acquire(group, next.nonce)
            }
            let granted = try answer.granted()
            #expect(granted > term)
            (holder, held, term) = (next.contender, next.nonce, granted)
        }
    }

    /// They hear of the end as ever, and would try for the lock in that moment, to keep it for a while.
    @Test func othersWhoWaitLeaveTheLockAlone() async throws {
        var waiting: [(contender: Contender, hints: Hints)] = []
        for _ in 0..<6 {
            let contender = Contender(provider: directory.provider(clock: clock))
            waiting.append((contender, try await contender.hints(of: group)))
        }
        let term = try await leader.acquire(group, nonce).granted()
        for waiting in waiting {
            #expect(try await waiting.contender.acquire(group).record?.term == term)
            // The word of the new term, which comes a little later.
            #expect(await eventually { waiting.hints.all.contains(.changed(group)) })
        }
        // Has not asked, so that it is told of every end; by then the others have mostly been woken, too.
        let bystander = try await Contender(provider: directory.provider(clock: clock)).hints(of: group)
        #expect(try await leader.transfer(group, nonce, term, to: heirsNonce).isTransferred)
        #expect(await eventually { bystander.all.contains(.changed(group)) })
        // Its very first attempt, without any watch of its own.
        let next = try await heir.acquire(group, heirsNonce).granted()
        #expect(next > term)
        #expect(await eventually { waiting.allSatisfy { $0.hints.all.count { $0 == .changed(group) } >= 2 } })
    }

    @Test func aCandidateIsTheHeirWhateverElseItsProcessAsksFor() async throws {
        let hints = try await heir.hints(of: group)
        let neighbour = Contender(provider: heir.provider)
        let term = try await leader.acquire(group, nonce).granted()
        #expect(try await heir.acquire(group, heirsNonce).record?.term == term)
        #expect(try await neighbour.acquire(group).record?.term == term)
        #expect(await eventually { hints.all.contains(.changed(group)) })
        hints.forget()
        #expect(try await leader.transfer(group, nonce, term, to: heirsNonce).isTransferred)
        #expect(await eventually { hints.all.contains(.changed(group)) })
        #expect(try await heir.acquire(group, heirsNonce).granted() > term)
    }

    @Test func aLockThatWasWonBeforeItWasPutAsideIsGivenBack() async throws {
        let hints = try await other.hints(of: group)
        let term = try await leader.acquire(group, nonce).granted()
        #expect(try await other.acquire(group).record?.term == term)
        #expect(await eventually { hints.all.contains(.changed(group)) })
        hints.forget()
        _ = try await leader.release(group, nonce, term)
        #expect(await eventually { hints.all.contains(.changed(group)) })
        try reservation({ _ in }, after: term)
        #expect(try await other.acquire(group).delay == .seconds(2))
        #expect(try await heir.acquire(group, heirsNonce).granted() > term)
    }

    @Test func aProcessThatIsKilledAfterATransferTakesNothingAlong() async throws {
        // On the machine's clock, as the other process.
        let heir = try Contender(directory.path)
        let hints = try await heir.hints(of: group)
        await #expect(processExitsWith: .signal(SIGKILL)) { [path = directory.path as String] in
            let leader = try Contender(path)
            let (group, nonce) = (try ElectionGroup("a/b"), Nonce())
            let term = try await leader.acquire(group, nonce).granted()
            let answer = try await leader.transfer(group, nonce, term, to: Nonce(high: 1, low: 2))
            if answer.isTransferred { kill(getpid(), SIGKILL) }
        }
        #expect(await eventually { hints.all.contains(.changed(group)) })
        let bytes = try #require(try readFile(directory.file("a%2Fb.state"), atMost: StateSlots.maximumLength))
        let last = try StateSlots(parsing: bytes).record
        #expect(last.isReleased)
        #expect(try await heir.acquire(group, Nonce(high: 1, low: 2)).granted() > last.term)
    }
    #endif
}
