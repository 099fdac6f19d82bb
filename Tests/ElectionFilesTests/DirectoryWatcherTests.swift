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
    @Suite(.serialized) struct DirectoryWatcherTests {
        @Test func eachKindOfEventArrivesInOrder() async throws {
            let directory = try TemporaryDirectory()
            let events = Events()
            let watcher = try DirectoryWatcher(
                directory: directory.path,
                interest: [.closedAfterWriting, .modified, .createdOrMovedIn, .deletedOrMovedAway]
            ) { events.add($0) }
            try replaceFile(named: "a", in: directory.path, with: [1], temporaryName: "t")
            unlink(directory.file("a"))
            #expect(await eventually { events.all.last == .deletedOrMovedAway("a") })
            #expect(
                events.all == [
                    .createdOrMovedIn("t"), .modified("t"), .closedAfterWriting("t"), .deletedOrMovedAway("t"),
                    .createdOrMovedIn("a"), .deletedOrMovedAway("a"),
                ]
            )
            watcher.cancel()
        }

        @Test func onlyWhatWasAskedForArrives() async throws {
            let directory = try TemporaryDirectory()
            let events = Events()
            let watcher = try DirectoryWatcher(directory: directory.path, interest: .closedAfterWriting) {
                events.add($0)
            }
            try replaceFile(named: "a", in: directory.path, with: [1], temporaryName: "t")
            try replaceFile(named: "b", in: directory.path, with: [1], temporaryName: "u")
            #expect(await eventually { events.all.count >= 2 })
            #expect(events.all == [.closedAfterWriting("t"), .closedAfterWriting("u")])
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
                    try DirectoryWatcher(directory: directory.file(name), interest: .modified) { _ in }
                }
                #expect(error?.code == code)
            }
            #expect(descriptors(containing: "inotify") == 0)
        }

        @Test func thousandsOfWatchersLeaveNothingBehind() async throws {
            /// Tells that a watcher's thread has let go of everything.
            final class Probe: Sendable {
                let living: Living
                init(_ living: Living) {
                    self.living = living
                    living.count.add(1, ordering: .relaxed)
                }
                deinit { living.count.subtract(1, ordering: .relaxed) }
            }
            final class Living: Sendable { let count = Atomic(0) }
            let directory = try TemporaryDirectory()
            let living = Living()
            for round in 0..<10_000 {
                let probe = Probe(living)
                let watcher = try DirectoryWatcher(directory: directory.path, interest: .modified) { _ in _ = probe }
                // Every other one is only let go.
                if round % 2 == 0 { watcher.cancel() }
                if round % 32 == 0 { try #require(await eventually { living.count.load(ordering: .relaxed) <= 1 }) }
            }
            #expect(await eventually { living.count.load(ordering: .relaxed) == 0 })
            #expect(descriptors(containing: "inotify") == 0)
        }
    }
#endif
