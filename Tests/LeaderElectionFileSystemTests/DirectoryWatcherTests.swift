// SPDX-License-Identifier: MIT

internal import CElectionSystem
internal import ElectionFiles
internal import Synchronization
internal import Testing

#if canImport(Glibc)
internal import Glibc
#elseif canImport(Musl)
internal import Musl
#endif

/// Collects what a watcher tells.
final class Events: Sendable {
    private let list = Mutex<[DirectoryEvent]>([])
    var all: [DirectoryEvent] { list.withLock { $0 } }
    func add(_ event: DirectoryEvent) { list.withLock { $0.append(event) } }
}

#if os(Linux)
@Suite(.timeLimit(.minutes(2))) struct DirectoryWatcherTests {
    // In processes of their own: elsewhere another test may start a process at any time, and until that one calls
    // `exec` it has a copy of every descriptor, which puts a close event off.

    @Test func eachKindOfEventArrivesInOrder() async throws {
        await #expect(processExitsWith: .success) {
            let directory = try TemporaryDirectory()
            let events = Events()
            let watcher = try DirectoryWatcher(
                directory: directory.path,
                interest: [.closedAfterWriting, .touched, .createdOrMovedIn, .deletedOrMovedAway]
            ) { events.add($0) }
            try replaceFile(named: "a", in: directory.path, with: [1], temporaryName: "t")
            utimensat(AT_FDCWD, directory.file("a"), nil, 0)
            unlink(directory.file("a"))
            guard await eventually({ events.all.last == .deletedOrMovedAway("a") }) else { exit(2) }
            let expected: [DirectoryEvent] = [
                .createdOrMovedIn("t"), .closedAfterWriting("t"), .deletedOrMovedAway("t"),
                .createdOrMovedIn("a"), .touched("a"), .deletedOrMovedAway("a"),
            ]
            guard events.all == expected else { exit(3) }
            watcher.cancel()
        }
    }

    @Test func onlyWhatWasAskedForArrives() async throws {
        await #expect(processExitsWith: .success) {
            let directory = try TemporaryDirectory()
            let events = Events()
            let watcher = try DirectoryWatcher(directory: directory.path, interest: .closedAfterWriting) {
                events.add($0)
            }
            try replaceFile(named: "a", in: directory.path, with: [1], temporaryName: "t")
            try replaceFile(named: "b", in: directory.path, with: [1], temporaryName: "u")
            guard await eventually({ events.all.count >= 2 }) else { exit(2) }
            guard events.all == [.closedAfterWriting("t"), .closedAfterWriting("u")] else { exit(3) }
            watcher.cancel()
        }
    }

    @Test func changesOfAFileAreToldOnceOrAlways() async throws {
        await #expect(processExitsWith: .success) {
            let directory = try TemporaryDirectory()
            for name in ["once", "always"] {
                try replaceFile(named: name, in: directory.path, with: [], temporaryName: "t")
            }
            let events = Events()
            let watcher = try DirectoryWatcher(directory: directory.path, interest: .touched) { events.add($0) }
            guard let once = try watcher.listen(to: directory.file("once"), once: true),
                let always = try watcher.listen(to: directory.file("always"))
            else { exit(2) }
            let files = ["once", "always"].map { open(directory.file($0), O_WRONLY | O_CLOEXEC) }
            for _ in 0..<2 {
                for file in files { write(file, "x", 1) }
                // Something between, since the kernel merges equal events.
                futimens(files[0], nil)
            }
            let expected: [DirectoryEvent] = [
                .fileModified(once), .fileModified(always), .touched("once"), .fileModified(always), .touched("once"),
            ]
            guard await eventually({ events.all == expected }) else { exit(3) }
            guard let again = try watcher.listen(to: directory.file("once"), once: true) else { exit(4) }
            write(files[0], "x", 1)
            guard await eventually({ events.all.last == .fileModified(again) }) else { exit(5) }
            watcher.cancel()
        }
    }

    @Test func eventsThatTheKernelDroppedAreTold() async throws {
        let directory = try TemporaryDirectory()
        let text = try #require(try readFile("/proc/sys/fs/inotify/max_queued_events", atMost: 20))
        let limit = try #require(Int(String(decoding: text.dropLast(), as: UTF8.self)))
        let events = Events()
        let gate = Mutex(())
        let watcher = try DirectoryWatcher(directory: directory.path, interest: .closedAfterWriting) { event in
            gate.withLock { _ in }
            events.add(event)
        }
        gate.withLock { _ in
            // Two names in turn, since the kernel merges equal events; one bufferful is read already.
            for number in 0..<(limit + 4_000) {
                close(open(directory.file(number % 2 == 0 ? "a" : "b"), O_WRONLY | O_CREAT | O_CLOEXEC, 0o600))
            }
        }
        #expect(await eventually { events.all.contains(.overflow) })
        watcher.cancel()
    }

    @Test(arguments: [true, false])
    func aDirectoryThatGoesIsReportedOnce(moved: Bool) async throws {
        let directory = try TemporaryDirectory()
        let inner = directory.file("inner")
        mkdir(inner, 0o700)
        let events = Events()
        let watcher = try DirectoryWatcher(directory: inner, interest: .closedAfterWriting) { events.add($0) }
        if moved { rename(inner, directory.file("elsewhere")) } else { rmdir(inner) }
        #expect(await eventually { !events.all.isEmpty })
        #expect(events.all == [.directoryGone])
        watcher.cancel()
    }

    @Test func aFileOrNothingCannotBeWatched() throws {
        let directory = try TemporaryDirectory()
        try replaceFile(named: "a", in: directory.path, with: [], temporaryName: "t")
        for (name, code) in [("a", ENOTDIR), ("nothing", ENOENT)] {
            let error = #expect(throws: FileError.self) {
                try DirectoryWatcher(directory: directory.file(name), interest: .touched) { _ in }
            }
            #expect(error?.code == code)
        }
    }

    @Test func thousandsOfWatchersLeaveNothingBehind() async throws {
        // In a process of its own, where nobody else opens anything.
        await #expect(processExitsWith: .success) {
            let directory = try TemporaryDirectory()
            let living = Living()
            for round in 0..<10_000 {
                let probe = Probe(living)
                let watcher = try DirectoryWatcher(directory: directory.path, interest: .touched) { _ in _ = probe
                }
                // Every other one is only let go, and some never start.
                if round % 2 == 0 { watcher.cancel() }
                if round % 100 == 0 {
                    _ = try? DirectoryWatcher(directory: "/nowhere/at/all", interest: .touched) { _ in _ = probe }
                }
                if round % 32 == 0 {
                    guard await eventually({ living.count.load(ordering: .relaxed) <= 1 }) else { exit(2) }
                }
            }
            guard await eventually({ living.count.load(ordering: .relaxed) == 0 }) else { exit(3) }
            guard descriptors(containing: "inotify") == 0, descriptors(containing: "eventfd") < 8 else { exit(4) }
            guard await eventually({ TemporaryDirectory.names(in: "/proc/self/task").count < 40 }) else { exit(5) }
        }
    }
}

private final class Living: Sendable { let count = Atomic(0) }

/// Tells that a watcher's thread has let go of everything.
private final class Probe: Sendable {
    let living: Living
    init(_ living: Living) {
        self.living = living
        living.count.add(1, ordering: .relaxed)
    }
    deinit { living.count.subtract(1, ordering: .relaxed) }
}
#endif
