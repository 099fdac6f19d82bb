// SPDX-License-Identifier: MIT

internal import CElectionSystem
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
@Suite(.timeLimit(.minutes(2))) struct HintTests {
    let directory: TemporaryDirectory
    let group: ElectionGroup

    init() throws {
        directory = try TemporaryDirectory()
        group = try ElectionGroup("a/b")
    }

    @Test func aReleaseIsToldWhenTheLeaseIsFree() async throws {
        let (leader, follower) = (try Contender(directory.path), try Contender(directory.path))
        let nonce = Nonce()
        let term = try await leader.acquire(group, nonce).granted()
        let hints = Hints(follower.provider)
        #expect(try await follower.acquire(group).record != nil)
        #expect(hints.all.isEmpty)
        _ = try await leader.release(group, nonce, term)
        #expect(await eventually { !hints.all.isEmpty })
        // The very first attempt succeeds.
        #expect(try await follower.acquire(group).granted() > term)
        #expect(hints.all.first == .changed(group))
    }

    @Test func aReleaseIsToldEvenWhenAChildStillHasTheDescriptors() async throws {
        let (leader, follower) = (try Contender(directory.path), try Contender(directory.path))
        let nonce = Nonce()
        let term = try await leader.acquire(group, nonce).granted()
        let copies = leader.provider.heldDescriptors(for: group).map { fcntl($0, F_DUPFD_CLOEXEC, 0) }
        defer { for copy in copies { close(copy) } }
        let hints = Hints(follower.provider)
        #expect(try await follower.acquire(group).record != nil)
        _ = try await leader.release(group, nonce, term)
        #expect(await eventually { hints.all.contains(.changed(group)) })
        #expect(try await follower.acquire(group).granted() > term)
    }

    @Test func aKilledHolderIsToldAndItsTermIsFollowedByALargerOne() async throws {
        let follower = try Contender(directory.path)
        let hints = Hints(follower.provider)
        await #expect(processExitsWith: .signal(SIGKILL)) { [path = directory.path as String] in
            _ = try await Contender(path).acquire(ElectionGroup("a/b")).granted()
            kill(getpid(), SIGKILL)
        }
        let bytes = try #require(try readFile(directory.file("a%2Fb.state"), atMost: StateSlots.maximumLength))
        let last = try StateSlots(parsing: bytes).record
        #expect(!last.isReleased)
        // Once for the new term, once for its end.
        #expect(await eventually { hints.all.count { $0 == .changed(group) } >= 2 })
        #expect(try await follower.acquire(group).granted() > last.term)
    }

    @Test func failedAttemptsAndReadersWakeNobody() async throws {
        let (leader, follower) = (try Contender(directory.path), try Contender(directory.path))
        let nonce = Nonce()
        let term = try await leader.acquire(group, nonce).granted()
        let hints = Hints(leader.provider)
        for _ in 0..<10 {
            _ = try await follower.acquire(group)
            _ = try await follower.holder(group)
            _ = try await leader.renew(group, nonce, term)
        }
        let other = try ElectionGroup("other")
        _ = try await follower.acquire(other).granted()
        // Events keep their order: whatever the attempts had caused would have come before.
        #expect(await eventually { !hints.all.isEmpty })
        #expect(hints.all.first == .changed(other))
        #expect(!hints.all.contains(.changed(group)))
    }

    @Test func aNewTermIsToldToThoseWhoOnlyWatch() async throws {
        let (leader, observer) = (try Contender(directory.path), try Contender(directory.path))
        let hints = Hints(observer.provider)
        #expect(try await observer.holder(group).isFree)
        let term = try await leader.acquire(group).granted()
        #expect(await eventually { hints.all.contains(.changed(group)) })
        #expect(try await observer.holder(group).record?.term == term)
    }

    @Test func aDeletedLockFileIsToldToItsHolder() async throws {
        let (leader, nonce) = (try Contender(directory.path), Nonce())
        let hints = Hints(leader.provider)
        let term = try await leader.acquire(group, nonce).granted()
        #expect(await eventually { hints.all == [.changed(group)] })
        hints.forget()
        unlink(directory.file("a%2Fb.lock"))
        #expect(await eventually { hints.all.contains(.changed(group)) })
        #expect(try await leader.renew(group, nonce, term).isLost)
    }

    @Test func aDirectoryThatIsDeletedAndMadeAgainIsWatchedAgain() async throws {
        let inner = directory.file("inner")
        let (leader, follower) = (try Contender(inner), try Contender(inner))
        let hints = Hints(follower.provider)
        _ = try await follower.acquire(ElectionGroup("first")).granted()
        TemporaryDirectory.remove(inner)
        #expect(await eventually { hints.all.contains(.resync) })
        let nonce = Nonce()
        let term = try await leader.acquire(group, nonce).granted()
        hints.forget()
        #expect(try await follower.acquire(group).record != nil)
        #expect(hints.all.contains(.resync))
        hints.forget()
        _ = try await leader.release(group, nonce, term)
        #expect(await eventually { hints.all.contains(.changed(group)) })
    }

    @Test func aCancelledSubscriptionEndsTheWatch() async throws {
        let contender = try Contender(directory.path)
        let hints = Hints(contender.provider)
        _ = try await contender.acquire(group).granted()
        #expect(await eventually { !hints.all.isEmpty })
        hints.cancel()
        hints.forget()
        let other = try ElectionGroup("other")
        let witness = try Contender(directory.path)
        let seen = Hints(witness.provider)
        #expect(try await witness.holder(other).isFree)
        _ = try await contender.acquire(other).granted()
        #expect(await eventually { seen.all.contains(.changed(other)) })
        #expect(hints.all.isEmpty)
    }
}
#endif
