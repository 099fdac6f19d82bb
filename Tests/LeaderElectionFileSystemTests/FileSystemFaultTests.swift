// SPDX-License-Identifier: MIT

internal import CElectionSystem
internal import ElectionFiles
internal import LeaderElection
internal import LeaderElectionFileSystem
internal import Testing

#if canImport(Glibc)
internal import Glibc
#elseif canImport(Musl)
internal import Musl
#else
internal import Darwin
#endif

@Suite(.timeLimit(.minutes(2))) struct FileSystemFaultTests {
    let directory: TemporaryDirectory
    let group: ElectionGroup

    init() throws {
        directory = try TemporaryDirectory()
        group = try ElectionGroup("g")
    }

    // MARK: Deleted and replaced files

    @Test func aDeletedLockFileEndsTheLeaseAndMakesTheNextCandidateWait() async throws {
        let (leader, second) = (try Contender(directory.path), try Contender(directory.path))
        let nonce = Nonce()
        let term = try await leader.acquire(group, nonce, lease: .seconds(1)).granted()
        unlink(directory.file("g.lock"))

        let delay = try #require(try await second.acquire(group).delay)
        #expect(delay > .milliseconds(900) && delay <= .seconds(1))
        // The lock file that the second one made does not let a third one in earlier.
        #expect(try await Contender(directory.path).acquire(group).delay != nil)
        #expect(try await leader.renew(group, nonce, term).isLost)
        #expect(try await leader.release(group, nonce, term).isNotHeld)

        var answer = try await second.acquire(group)
        let deadline = ContinuousClock.now + .seconds(20)
        while answer.term == nil, .now < deadline { answer = try await second.acquire(group) }
        #expect(try answer.granted() > term)
    }

    @Test func whoLostItsOwnLockFileDoesNotWaitForItself() async throws {
        let (leader, nonce) = (try Contender(directory.path), Nonce())
        let term = try await leader.acquire(group, nonce).granted()
        unlink(directory.file("g.lock"))
        #expect(try await leader.acquire(group, Nonce(), previous: nonce).granted() > term)
    }

    @Test func aReplacedLockFileEndsTheLease() async throws {
        let (leader, nonce) = (try Contender(directory.path), Nonce())
        let term = try await leader.acquire(group, nonce).granted()
        try replaceFile(named: "g.lock", in: directory.path, with: [], temporaryName: "t")
        #expect(try await leader.renew(group, nonce, term).isLost)
        #expect(descriptors(containing: directory.path) == 0)
    }

    @Test func aReleasedLeaseMakesNobodyWaitForADeletedLockFile() async throws {
        let (leader, nonce) = (try Contender(directory.path), Nonce())
        let term = try await leader.acquire(group, nonce).granted()
        _ = try await leader.release(group, nonce, term)
        unlink(directory.file("g.lock"))
        #expect(try await Contender(directory.path).acquire(group).granted() > term)
    }

    @Test func aDirectoryThatIsMovedAwayEndsItsLeases() async throws {
        let inner = directory.file("inner")
        let (leader, nonce) = (try Contender(inner), Nonce())
        let term = try await leader.acquire(group, nonce).granted()
        rename(inner, directory.file("elsewhere"))
        #expect(try await leader.renew(group, nonce, term).isLost)
    }

    @Test func aDirectoryThatComesLaterIsUsedWithoutARestart() async throws {
        let inner = directory.file("inner")
        let contender = try Contender(inner, createDirectory: false)
        let error = await #expect(throws: ElectionError.self) { _ = try await contender.acquire(group) }
        #expect(error?.code == .storeUnavailable)
        await #expect(throws: ElectionError.self) { _ = try await contender.holder(group) }
        mkdir(inner, 0o700)
        #expect(try await contender.acquire(group).term != nil)
    }

    @Test func lookingDoesNotMakeTheDirectory() async throws {
        let contender = try Contender(directory.file("a/b/c"))
        #expect(try await contender.holder(group).isFree)
        #expect(directory.names.isEmpty)
        #expect(try await contender.acquire(group).term != nil)
    }

    // MARK: What stands in the way

    @Test func aFileInPlaceOfTheDirectoryIsReported() async throws {
        try replaceFile(named: "file", in: directory.path, with: [], temporaryName: "t")
        let contender = try Contender(directory.file("file"))
        let error = await #expect(throws: ElectionError.self) { _ = try await contender.acquire(group) }
        #expect(error?.code == .storeUnavailable)
        await #expect(throws: ElectionError.self) { try await contender.provider.check() }
        removeAndMake(directory.file("file"))
        #expect(try await contender.acquire(group).term != nil)
        try await contender.provider.check()
        #expect(directory.names == ["file"])
    }

    private func removeAndMake(_ path: String) {
        unlink(path)
        mkdir(path, 0o700)
    }

    @Test(arguments: ["g.lock", "g.state"])
    func aSymbolicLinkIsRefused(name: String) async throws {
        symlink("/etc/hostname", directory.file(name))
        let answer = try await Contender(directory.path).acquire(group)
        #expect(answer.error?.code == .storeRefused)
        #expect(answer.error?.message.contains("symbolic link") == true)
    }

    @Test(arguments: ["g.lock", "g.state"])
    func aPipeIsRefusedWithoutWaitingForItsOtherEnd(name: String) async throws {
        mkfifo(directory.file(name), 0o600)
        #expect(try await Contender(directory.path).acquire(group).error?.code == .storeRefused)
    }

    @Test(arguments: ["", "garbage\n", "leader-election state 1\nreleased 0\n"])
    func aCorruptStateFileIsReportedAndLeftAlone(text: String) async throws {
        let contender = try Contender(directory.path)
        try replaceFile(named: "g.state", in: directory.path, with: Array(text.utf8), temporaryName: "t")
        let error = try #require(try await contender.acquire(group).error)
        #expect(error.code == .storeCorrupted)
        #expect(error.message.contains("remove it"))
        #expect(try await contender.holder(group).error?.code == .storeCorrupted)
        #expect(try readFile(directory.file("g.state"), atMost: 100) == Array(text.utf8))
        #expect(descriptors(containing: directory.path) == 0)
        unlink(directory.file("g.state"))
        #expect(try await contender.acquire(group).term != nil)
    }

    @Test func aLeaderKeepsLeadingWhenItsStateFileIsDamaged() async throws {
        let (leader, nonce) = (try Contender(directory.path), Nonce())
        let term = try await leader.acquire(group, nonce).granted()
        try replaceFile(named: "g.state", in: directory.path, with: [1, 2, 3], temporaryName: "t")
        #expect(try await leader.renew(group, nonce, term).isRenewed)
        #expect(try await leader.release(group, nonce, term).isReleased)
        #expect(try readFile(directory.file("g.state"), atMost: 100) == [1, 2, 3])
    }

    @Test func whatAKilledWriterLeftIsWrittenOver() async throws {
        let (contender, nonce) = (try Contender(directory.path), Nonce())
        let term = try await contender.acquire(group, nonce).granted()
        _ = try await contender.release(group, nonce, term)
        unlink(directory.file("g.state"))
        let lock = try #require(try FileIdentity(path: directory.file("g.lock")))
        try replaceFile(
            named: ".new-" + String(lock.inode, radix: 16),
            in: directory.path,
            with: [1],
            temporaryName: "t"
        )
        #expect(try await contender.acquire(group).term != nil)
        #expect(directory.names == ["g.lock", "g.state"])
    }

    @Test func aFullDiskFreesTheLockAndPassesByItself() async throws {
        #if os(Linux)
        let disk = directory.file("disk")
        mkdir(disk, 0o700)
        guard mount("tmpfs", disk, "tmpfs", 0, "size=64k") == 0 else {
            withKnownIssue("mounting a small file system needs root") { Issue.record("not mounted") }
            return
        }
        defer { umount2(disk, 2) }
        let contender = try Contender(disk)
        let nonce = Nonce()
        let term = try await contender.acquire(group, nonce).granted()
        _ = try await contender.release(group, nonce, term)
        try fill(disk + "/filler")
        let other = try ElectionGroup("other")
        let error = try #require(try await contender.acquire(other).error)
        #expect(error.code == .storeUnavailable)
        #expect(error.message.contains("disk is full"))
        #expect(descriptors(containing: disk) == 0)
        #expect(TemporaryDirectory.names(in: disk) == ["filler", "g.lock", "g.state", "other.lock"])
        // A group that has its file needs no more room.
        #expect(try await contender.acquire(group).granted() > term)
        unlink(disk + "/filler")
        #expect(try await contender.acquire(other).term != nil)
        #endif
    }

    #if os(Linux)
    private func fill(_ path: String) throws {
        let descriptor = open(path, O_WRONLY | O_CREAT | O_CLOEXEC, 0o600)
        defer { _ = close(descriptor) }
        let page = [UInt8](repeating: 0, count: 4096)
        while write(descriptor, page, page.count) > 0 {}
        guard errno == ENOSPC else { throw TestFailure(text: "errno \(errno)") }
    }

    @Test func runningOutOfDescriptorsFailsOneGroupAndKeepsTheOthers() async throws {
        // In a process of its own, since the limit is the process's.
        await #expect(processExitsWith: .success) {
            let directory = try TemporaryDirectory()
            let contender = try Contender(directory.path)
            let nonce = Nonce()
            // Room for 34 more: how many a child process has already depends on who started it.
            let room = UInt(limitLeaving: 34)
            var limit = rlimit(rlim_cur: room, rlim_max: room)
            guard setrlimit(__rlimit_resource_t(RLIMIT_NOFILE.rawValue), &limit) == 0 else { exit(2) }
            var led: [(ElectionGroup, Int64)] = []
            var refused = 0
            for number in 0..<30 {
                let group = try ElectionGroup("g\(number)")
                let answer = try await contender.acquire(group, nonce)
                if let term = answer.term {
                    led.append((group, term))
                } else {
                    guard answer.error?.message.contains("too many open files") == true else { exit(3) }
                    refused += 1
                }
            }
            guard led.count > 5, refused > 5 else { exit(4) }
            for (group, term) in led {
                guard try await contender.renew(group, nonce, term).isRenewed else { exit(5) }
            }
            guard try await contender.release(led[0].0, nonce, led[0].1).isReleased else { exit(6) }
            guard try await contender.acquire(ElectionGroup("late")).term != nil else { exit(7) }
        }
    }

    @Test func aSoftLimitOfOpenFilesIsRaised() async throws {
        await #expect(processExitsWith: .success) {
            let directory = try TemporaryDirectory()
            let contender = try Contender(directory.path)
            let room = UInt(limitLeaving: 34)
            var limit = rlimit(rlim_cur: room, rlim_max: room + 360)
            guard setrlimit(__rlimit_resource_t(RLIMIT_NOFILE.rawValue), &limit) == 0 else { exit(2) }
            for number in 0..<100 {
                guard try await contender.acquire(ElectionGroup("g\(number)")).term != nil else { exit(3) }
            }
        }
    }
    #endif
}

#if os(Linux)
extension UInt {
    /// The limit of descriptors under which this process can open so many more.
    fileprivate init(limitLeaving count: Int) {
        var (limit, free) = (Int32(0), 0)
        while free < count {
            if fcntl(limit, F_GETFD) < 0 { free += 1 }
            limit += 1
        }
        self = UInt(limit)
    }
}
#endif
