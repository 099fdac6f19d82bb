// SPDX-License-Identifier: MIT

internal import ElectionFiles
internal import LeaderElection
internal import Testing

@testable internal import LeaderElectionFileSystem

#if canImport(Glibc)
internal import Glibc
#elseif canImport(Musl)
internal import Musl
#endif

#if os(Linux)
@Suite(.timeLimit(.minutes(2))) struct SeatTests {
    let directory: TemporaryDirectory
    let group: ElectionGroup
    var path: String { directory.file("g.lock") }

    init() throws {
        directory = try TemporaryDirectory()
        group = try ElectionGroup("g")
    }

    private func lock() throws -> FileLock {
        guard case .won(let lock, _) = try FileLock.attempt(path: path) else { throw TestFailure(text: "not won") }
        try lock.arm()
        return lock
    }

    @Test func thereAreAFewSeatsAndWhoGetsUpMakesRoom() async throws {
        let lock = try lock()
        #expect(!lock.hasListeners)
        var seats = try (0..<FileSeat.count).map { _ in try #require(try FileSeat.take(at: path)) }
        #expect(try FileSeat.take(at: path) == nil)
        #expect(lock.hasListeners)
        seats.removeLast()
        // A process that a test beside this one is starting may have a copy until its `exec`.
        #expect(await eventually { (try? FileSeat.take(at: path)) != nil })
        seats = []
        #expect(await eventually { !lock.hasListeners })
        lock.release()
        #expect(!lock.hasListeners)
    }

    @Test func aSeatExcludesNobodyFromTheLock() throws {
        try lock().release()
        let seat = try #require(try FileSeat.take(at: path))
        let lock = try lock()
        #expect(lock.hasListeners)
        withExtendedLifetime(seat) { lock.release() }
        #expect(throws: FileError.self) { try FileSeat.take(at: directory.file("nowhere")) }
    }

    @Test func onlyWhoListensToTheFileHearsBeforeItIsClosed() async throws {
        await #expect(processExitsWith: .success) {
            let directory = try TemporaryDirectory()
            let path = directory.file("l")
            guard case .won(let lock, _) = try FileLock.attempt(path: path) else { exit(2) }
            try lock.arm()
            let (near, far) = (Events(), Events())
            let interest: DirectoryInterest = [.closedAfterWriting, .touched]
            let nearWatcher = try DirectoryWatcher(directory: directory.path, interest: interest) { near.add($0) }
            let farWatcher = try DirectoryWatcher(directory: directory.path, interest: interest) { far.add($0) }
            guard let file = try nearWatcher.listen(to: path) else { exit(3) }
            lock.unlock()
            lock.wakeListeners()
            guard await eventually({ near.all == [.fileModified(file)] }) else { exit(4) }
            guard case .won = try FileLock.attempt(path: path) else { exit(5) }
            lock.release()
            let end = DirectoryEvent.closedAfterWriting("l")
            guard await eventually({ near.all.count == 2 && far.all.count == 1 }) else { exit(6) }
            guard near.all == [.fileModified(file), end], far.all == [end] else { exit(7) }

            // Not heard of any more, and the end of the watch is not taken for the end of the directory's.
            nearWatcher.stopListening(file)
            guard case .won(let next, _) = try FileLock.attempt(path: path) else { exit(8) }
            try next.arm()
            next.wakeListeners()
            next.release()
            guard await eventually({ near.all.count == 3 && far.all.count == 2 }) else { exit(9) }
            guard near.all.last == end, far.all.last == end else { exit(10) }
            nearWatcher.cancel()
            farWatcher.cancel()
        }
    }

    @Test func whoWaitsSitsDownAndGetsUpWhenItLeads() async throws {
        let (leader, follower) = (try Contender(directory.path), try Contender(directory.path))
        let hints = try await follower.hints(of: group)
        let nonce = Nonce()
        let term = try await leader.acquire(group, nonce).granted()
        let lock = try #require(leader.provider.store.heldLock(for: group))
        #expect(!lock.hasListeners)
        #expect(try await follower.acquire(group).record != nil)
        #expect(lock.hasListeners)
        // Asking again takes no second place.
        #expect(try await follower.acquire(group).record != nil)
        #expect(descriptors(containing: path) == 3)
        #expect(await eventually { !hints.all.isEmpty })
        hints.forget()
        _ = try await leader.release(group, nonce, term)
        #expect(await eventually { !hints.all.isEmpty })
        let next = Nonce()
        #expect(try await follower.acquire(group, next).granted() > term)
        // The last leader closes its file a little later than it unlocks it.
        #expect(await eventually { descriptors(containing: path) == 2 })
        #expect(follower.provider.store.heldLock(for: group)?.hasListeners == false)
    }

    @Test func whoeverSitsThereAndDoesNothingOnlyDelaysTheOthers() async throws {
        let (leader, follower) = (try Contender(directory.path), try Contender(directory.path))
        let hints = try await follower.hints(of: group)
        let nonce = Nonce()
        let term = try await leader.acquire(group, nonce).granted()
        // As processes do that are stopped by a signal.
        let seats = try (0..<FileSeat.count).map { _ in try #require(try FileSeat.take(at: path)) }
        #expect(try await follower.acquire(group).record != nil)
        #expect(await eventually { !hints.all.isEmpty })
        hints.forget()
        _ = try await leader.release(group, nonce, term)
        #expect(await eventually { !hints.all.isEmpty })
        #expect(try await follower.acquire(group).granted() > term)
        withExtendedLifetime(seats) {}
    }

    @Test func aReleaserThatDiesAtOnceIsHeardByThoseWithoutASeat() async throws {
        let follower = try Contender(directory.path)
        let hints = try await follower.hints(of: group)
        try lock().release()
        let seats = try (0..<FileSeat.count).map { _ in try #require(try FileSeat.take(at: path)) }
        await #expect(processExitsWith: .signal(SIGKILL)) { [path = directory.path as String] in
            let leader = try Contender(path)
            let (group, nonce) = (try ElectionGroup("g"), Nonce())
            let term = try await leader.acquire(group, nonce).granted()
            _ = try await leader.release(group, nonce, term)
            kill(getpid(), SIGKILL)
        }
        #expect(await eventually { hints.all.contains(.changed(group)) })
        #expect(try await follower.acquire(group).term != nil)
        withExtendedLifetime(seats) {}
    }

    @Test func aSeatAtAFileThatIsNoMoreIsGivenUp() async throws {
        let (leader, follower) = (try Contender(directory.path), try Contender(directory.path))
        let hints = try await follower.hints(of: group)
        _ = try await leader.acquire(group).granted()
        #expect(try await follower.acquire(group).record != nil)
        #expect(descriptors(containing: path) == 3)
        unlink(path)
        let other = try lock()
        #expect(try await follower.acquire(group).record != nil)
        #expect(await eventually { other.hasListeners })
        hints.cancel()
        #expect(await eventually { !other.hasListeners })
        other.release()
    }
}
#endif
