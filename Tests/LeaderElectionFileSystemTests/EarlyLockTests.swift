// SPDX-License-Identifier: MIT

internal import ElectionFiles
internal import LeaderElection
internal import LeaderElectionFileSystem
internal import Testing

#if os(Linux)
@Suite(.timeLimit(.minutes(2))) struct EarlyLockTests {
    let directory: TemporaryDirectory
    let group: ElectionGroup

    init() throws {
        directory = try TemporaryDirectory()
        group = try ElectionGroup("g")
    }

    private var isHeld: Bool { (try? FileLock.isHeld(path: directory.file("g.lock"))) ?? false }

    @Test func aLockThatNobodyPicksUpIsLetGoOfAndTold() async throws {
        let (leader, waiting) = (try Contender(directory.path), try Contender(directory.path))
        let nonce = Nonce()
        let hints = try await waiting.hints(of: group)
        let term = try await leader.acquire(group, nonce).granted()
        #expect(try await waiting.acquire(group).record != nil)
        #expect(await eventually { !hints.all.isEmpty })
        hints.forget()
        _ = try await leader.release(group, nonce, term)
        // Once for the lock that was won, once when it was let go of.
        #expect(await eventually { hints.all.count >= 2 })
        #expect(await eventually { !isHeld })
        #expect(descriptors(containing: directory.path) == 0)
        #expect(try await leader.acquire(group).granted() > term)
    }

    @Test func ofTwoWaitingProvidersEachGetsItsTurn() async throws {
        let (leader, first, second) = (
            try Contender(directory.path), try Contender(directory.path), try Contender(directory.path)
        )
        let nonce = Nonce()
        let (firstHints, secondHints) = (try await first.hints(of: group), try await second.hints(of: group))
        let term = try await leader.acquire(group, nonce).granted()
        #expect(try await first.acquire(group).record != nil)
        #expect(try await second.acquire(group).record != nil)
        #expect(await eventually { !firstHints.all.isEmpty && !secondHints.all.isEmpty })
        firstHints.forget()
        secondHints.forget()
        _ = try await leader.release(group, nonce, term)
        // Whoever wins it does nothing with it: then it is the other's.
        #expect(await eventually { !firstHints.all.isEmpty && !secondHints.all.isEmpty })
        #expect(await eventually { !isHeld })
        #expect(try await first.acquire(group).granted() > term)
        #expect(try await second.acquire(group).record != nil)
    }

    @Test func theWinnersAcquisitionPicksTheLockUpAndOthersHearOfItsTerm() async throws {
        let (leader, follower) = (try Contender(directory.path), try Contender(directory.path))
        let watching = try Contender(directory.path)
        let nonce = Nonce()
        let (hints, watchingHints) = (try await follower.hints(of: group), try await watching.hints(of: group))
        let term = try await leader.acquire(group, nonce).granted()
        #expect(try await follower.acquire(group).record != nil)
        #expect(try await watching.holder(group).record != nil)
        #expect(await eventually { !hints.all.isEmpty && !watchingHints.all.isEmpty })
        hints.forget()
        watchingHints.forget()
        _ = try await leader.release(group, nonce, term)
        #expect(await eventually { !hints.all.isEmpty && !watchingHints.all.isEmpty })
        watchingHints.forget()
        let next = try await follower.acquire(group).granted()
        #expect(next > term)
        // One lock and its sentinel, and for a moment the file that tells of the term.
        #expect(await eventually { descriptors(containing: directory.path) == 2 })
        #expect(await eventually { watchingHints.all.contains(.changed(group)) })
        #expect(try await watching.holder(group).record?.term == next)
    }

    @Test func anEndThatComesBeforeTheLockIsFreeIsToldAtLast() async throws {
        let (leader, waiting) = (try Contender(directory.path), try Contender(directory.path))
        let hints = try await waiting.hints(of: group)
        _ = try await leader.acquire(group).granted()
        #expect(try await waiting.acquire(group).record != nil)
        #expect(await eventually { !hints.all.isEmpty })
        hints.forget()
        // The event of an end, while the lock is still held; no term follows.
        _ = try OpenFile(path: directory.file("g.lock"), writable: true)
        #expect(await eventually { hints.all == [.changed(group)] })
        #expect(try await waiting.acquire(group).record != nil)
    }

    @Test func whoUnsubscribesLetsGoOfWhatItWon() async throws {
        let (leader, waiting) = (try Contender(directory.path), try Contender(directory.path))
        let nonce = Nonce()
        let hints = try await waiting.hints(of: group)
        let term = try await leader.acquire(group, nonce).granted()
        #expect(try await waiting.acquire(group).record != nil)
        #expect(await eventually { !hints.all.isEmpty })
        hints.forget()
        _ = try await leader.release(group, nonce, term)
        #expect(await eventually { !hints.all.isEmpty })
        hints.cancel()
        #expect(!isHeld)
        #expect(try await leader.acquire(group).granted() > term)
    }
}
#endif
