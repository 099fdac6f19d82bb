// SPDX-License-Identifier: MIT

internal import CElectionSystem
internal import Synchronization

#if canImport(Glibc)
internal import Glibc
#elseif canImport(Musl)
internal import Musl
#else
internal import Darwin
#endif

/// Tells what happens in one directory: one inotify instance with one watch, and one thread that blocks on it.
///
/// `receive` is called on that thread, in the kernel's order. Cancelling or letting go of the value ends the thread and
/// closes its descriptors, soon after the call; `receive` may still be running then. Where there is no inotify
/// (macOS), a watcher delivers nothing.
package final class DirectoryWatcher: Sendable {
    /// The directory that is watched, to compare with what its path leads to later.
    package let identity: FileIdentity

    #if os(Linux)
    private let core: Core
    #endif

    /// Starts watching a directory that exists.
    ///
    /// - Parameters:
    ///   - idle: Called on the thread whenever it is about to wait, and answers how many milliseconds to wait at most
    ///     before it is called again; negative for as long as nothing happens. Called once more, with true, when the
    ///     thread ends.
    /// - Throws: `EMFILE` also when the user has too many inotify instances (`fs.inotify.max_user_instances`), `ENOSPC`
    ///   when there are too many watches (`fs.inotify.max_user_watches`).
    package init(
        directory: String,
        interest: DirectoryInterest,
        idle: @escaping @Sendable (_ isEnding: Bool) -> Int32 = { _ in -1 },
        receive: @escaping @Sendable (DirectoryEvent) -> Void
    ) throws(FileError) {
        #if os(Linux)
        let core = try Core(idle: idle, receive: receive)
        do throws(FileError) {
            // The watch is on whatever the path leads to at that moment: known only if it was the same before and after.
            var before: FileIdentity?
            var after = try FileIdentity(path: directory, followingLink: true)
            repeat {
                before = after
                try core.watch(directory, interest)
                after = try FileIdentity(path: directory, followingLink: true)
            } while !(after?.isSameLinkedFile(as: before) ?? true)
            guard let after else { throw FileError("inotify_add_watch", directory, code: ENOENT) }
            identity = after
            try core.start()
        } catch {
            core.close()
            throw error
        }
        self.core = core
        #else
        guard let identity = try FileIdentity(path: directory, followingLink: true) else {
            throw FileError("stat", directory, code: ENOENT)
        }
        self.identity = identity
        #endif
    }

    deinit { cancel() }

    /// Ends the events; those under way may still arrive.
    package func cancel() {
        #if os(Linux)
        core.wakeUp(toEnd: true)
        #endif
    }

    /// Also tells when bytes of this file change, inside the directory or elsewhere.
    ///
    /// - Parameter once: to be told of the first change only.
    /// - Returns: what ``DirectoryEvent/fileModified(_:)`` names the file by; nil if the watcher has ended.
    package func listen(to path: String, once: Bool = false) throws(FileError) -> Int32? {
        #if os(Linux)
        try core.listen(to: path, once: once)
        #else
        nil
        #endif
    }

    /// Ends ``listen(to:once:)``; what is under way may still arrive.
    package func stopListening(_ file: Int32) {
        #if os(Linux)
        core.stopListening(file)
        #endif
    }

    /// Has `idle` called soon.
    package func nudge() {
        #if os(Linux)
        core.wakeUp(toEnd: false)
        #endif
    }
}

#if os(Linux)
extension DirectoryWatcher {
    /// What the thread keeps; the descriptors are closed by the thread, never while it may still use them.
    fileprivate final class Core: Sendable {
        private let idle: @Sendable (Bool) -> Int32
        private let receive: @Sendable (DirectoryEvent) -> Void
        private let events: Int32
        private let wake: Int32
        private let state = Mutex((isOpen: true, mustEnd: false))
        /// The watch on the directory; others are on files.
        private let directory = Atomic<Int32>(-1)

        init(
            idle: @escaping @Sendable (Bool) -> Int32,
            receive: @escaping @Sendable (DirectoryEvent) -> Void
        ) throws(FileError) {
            (self.idle, self.receive) = (idle, receive)
            events = try systemCall("inotify_init1", "") { inotify_init1(Int32(IN_CLOEXEC) | Int32(IN_NONBLOCK)) }
            wake = eventfd(0, Int32(EFD_CLOEXEC) | Int32(EFD_NONBLOCK))
            if wake < 0 {
                let code = errno
                _ = CElectionSystem.close(events)
                throw FileError("eventfd", "", code: code)
            }
        }

        func watch(_ directory: String, _ interest: DirectoryInterest) throws(FileError) {
            var mask = IN_ONLYDIR | IN_DELETE_SELF | IN_MOVE_SELF
            if interest.contains(.closedAfterWriting) { mask |= IN_CLOSE_WRITE }
            if interest.contains(.touched) { mask |= IN_ATTRIB }
            if interest.contains(.createdOrMovedIn) { mask |= IN_CREATE | IN_MOVED_TO }
            if interest.contains(.deletedOrMovedAway) { mask |= IN_DELETE | IN_MOVED_FROM }
            let watch = try systemCall("inotify_add_watch", directory) {
                inotify_add_watch(events, directory, UInt32(mask))
            }
            self.directory.store(watch, ordering: .relaxed)
        }

        func listen(to path: String, once: Bool) throws(FileError) -> Int32? {
            let mask = UInt32(IN_MODIFY | IN_DONT_FOLLOW) | (once ? UInt32(IN_ONESHOT) : 0)
            return try state.withLock { state throws(FileError) in
                guard state.isOpen else { return nil }
                return try systemCall("inotify_add_watch", path) { inotify_add_watch(events, path, mask) }
            }
        }

        func stopListening(_ file: Int32) {
            state.withLock { if $0.isOpen { _ = inotify_rm_watch(events, file) } }
        }

        func start() throws(FileError) {
            var attributes = pthread_attr_t()
            pthread_attr_init(&attributes)
            defer { pthread_attr_destroy(&attributes) }
            pthread_attr_setdetachstate(&attributes, Int32(PTHREAD_CREATE_DETACHED))
            let reference = Unmanaged.passRetained(self)
            var thread = pthread_t()
            let code = pthread_create(
                &thread,
                &attributes,
                { argument in
                    guard let argument else { return nil }
                    election_name_thread("election-watch")
                    Unmanaged<Core>.fromOpaque(argument).takeRetainedValue().run()
                    return nil
                },
                reference.toOpaque()
            )
            if code != 0 {
                reference.release()
                throw FileError("pthread_create", "", code: code)
            }
        }

        func wakeUp(toEnd mustEnd: Bool) {
            state.withLock { state in
                guard state.isOpen else { return }
                if mustEnd { state.mustEnd = true }
                var one: UInt64 = 1
                _ = write(wake, &one, 8)
            }
        }

        func close() {
            state.withLock { state in
                guard state.isOpen else { return }
                state.isOpen = false
                _ = CElectionSystem.close(events)
                _ = CElectionSystem.close(wake)
            }
        }

        private func run() {
            defer {
                close()
                _ = idle(true)
            }
            var buffer = [UInt8](repeating: 0, count: 32 * 1024)
            var descriptors = [
                pollfd(fd: wake, events: Int16(POLLIN), revents: 0),
                pollfd(fd: events, events: Int16(POLLIN), revents: 0),
            ]
            while true {
                guard poll(&descriptors, 2, idle(false)) > 0 else { continue }
                if descriptors[0].revents != 0 {
                    if state.withLock({ $0.mustEnd }) { return }
                    var count: UInt64 = 0
                    _ = read(wake, &count, 8)
                }
                if descriptors[1].revents == 0 { continue }
                let count = read(events, &buffer, buffer.count)
                if count < 0 && (errno == EAGAIN || errno == EINTR) { continue }
                guard count > 0 else { return receive(.directoryGone) }
                if !deliver(buffer.prefix(count)) { return receive(.directoryGone) }
            }
        }

        /// Returns false when the watch has ended.
        private func deliver(_ bytes: ArraySlice<UInt8>) -> Bool {
            bytes.withUnsafeBytes { bytes in
                var offset = 0
                while offset + 16 <= bytes.count {
                    let watch = bytes.loadUnaligned(fromByteOffset: offset, as: Int32.self)
                    let mask = bytes.loadUnaligned(fromByteOffset: offset + 4, as: UInt32.self)
                    let length = Int(bytes.loadUnaligned(fromByteOffset: offset + 12, as: UInt32.self))
                    let name = bytes[(offset + 16)..<(offset + 16 + length)].prefix { $0 != 0 }
                    offset += 16 + length
                    func has(_ flags: Int32) -> Bool { mask & UInt32(flags) != 0 }
                    if has(IN_Q_OVERFLOW) {
                        receive(.overflow)
                    } else if watch != directory.load(ordering: .relaxed) {
                        if has(IN_MODIFY) { receive(.fileModified(watch)) }
                    } else if has(IN_DELETE_SELF | IN_MOVE_SELF | IN_UNMOUNT | IN_IGNORED) {
                        return false
                    } else {
                        let name = String(decoding: name, as: UTF8.self)
                        if has(IN_CLOSE_WRITE) { receive(.closedAfterWriting(name)) }
                        if has(IN_ATTRIB) { receive(.touched(name)) }
                        if has(IN_CREATE | IN_MOVED_TO) { receive(.createdOrMovedIn(name)) }
                        if has(IN_DELETE | IN_MOVED_FROM) { receive(.deletedOrMovedAway(name)) }
                    }
                }
                return true
            }
        }
    }
}
#endif
