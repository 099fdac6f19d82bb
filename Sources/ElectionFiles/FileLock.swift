// SPDX-License-Identifier: MIT

internal import CElectionSystem
package import LeaderElection
internal import Synchronization

#if canImport(Glibc)
internal import Glibc
#elseif canImport(Musl)
internal import Musl
#else
internal import Darwin
#endif

/// A store whose leases are owned by open files of this process.
package protocol KernelHeldLeases: Sendable {
    /// The descriptors that keep the lease of a group held in this process; empty if it holds none.
    ///
    /// A child that inherits them keeps the lease beyond this process's death. They belong to the store: never close
    /// them in this process.
    func heldDescriptors(for group: ElectionGroup) -> [Int32]
}

/// An exclusive `flock(2)` on a file that is never deleted, and the means to tell watchers when it ends.
///
/// Attempts open the file read-only: closing that descriptor yields no event that a ``DirectoryWatcher`` listens for,
/// so candidates that fail never wake each other. Whoever wins calls ``arm()``, which opens a second, writable
/// descriptor, the sentinel: when it is closed, by ``release()`` or by the death of the process, watchers of the
/// directory receive ``DirectoryEvent/closedAfterWriting(_:)``.
///
/// The lock belongs to the open file, not to the process: two attempts of one process conflict, and a child that
/// inherited the descriptor without `exec` shares the lock. All descriptors are close-on-exec. Letting go of the value
/// closes them, and the kernel then frees the lock.
package final class FileLock: Sendable {
    /// What came of an attempt.
    package enum Attempt {
        /// The lock is ours; `created` if the file was not there before.
        case won(FileLock, created: Bool)
        /// Another open file holds it.
        case held
        /// Somebody only looked whether it is held: worth trying again in a moment.
        case probed
    }

    private struct State {
        var descriptor: Int32
        var sentinel: Int32 = -1
        var isShared = false
    }

    private let state: Mutex<State>
    /// Where the lock file is.
    package let path: String
    /// The file that was locked.
    package let identity: FileIdentity

    private init(owning descriptor: Int32, path: String, identity: FileIdentity) {
        state = Mutex(State(descriptor: descriptor))
        (self.path, self.identity) = (path, identity)
    }

    deinit { closeAll() }

    /// Tries to take the lock, without waiting.
    ///
    /// - Parameter writable: opens the file for reading and writing, as network file systems demand for an exclusive
    ///   lock; each failed attempt then wakes the watchers.
    package static func attempt(path: String, writable: Bool = false) throws(FileError) -> Attempt {
        // Another round is due only if the file is replaced between two calls: more than a few are an attack.
        for _ in 0..<32 {
            guard let (descriptor, created) = try open(path, writable: writable) else { continue }
            do throws(FileError) {
                guard try tryLock(descriptor, LOCK_EX, path) else {
                    // A reader that looks holds it shared: then a shared lock is to be had, too.
                    let isProbe = try tryLock(descriptor, LOCK_SH, path)
                    _ = close(descriptor)
                    return isProbe ? .probed : .held
                }
                let identity = try FileIdentity(descriptor: descriptor, path: path)
                guard identity.isRegularFile else { throw FileError("flock", path, code: EINVAL) }
                if identity.isSameLinkedFile(as: try FileIdentity(path: path)) {
                    return .won(FileLock(owning: descriptor, path: path, identity: identity), created: created)
                }
            } catch {
                _ = close(descriptor)
                throw error
            }
            _ = close(descriptor)
        }
        throw FileError("flock", path, code: ESTALE)
    }

    /// Whether anybody holds the lock now; leaves no trace.
    package static func isHeld(path: String) throws(FileError) -> Bool {
        let descriptor: Int32
        do {
            descriptor = try openFile(path, O_RDONLY)
        } catch let error where error.code == ENOENT {
            return false
        }
        defer { _ = close(descriptor) }
        return try !tryLock(descriptor, LOCK_SH, path)
    }

    /// Opens the sentinel, so that the end of this lock wakes the watchers of the directory; the second time it does
    /// nothing.
    package func arm() throws(FileError) {
        guard state.withLock({ $0.sentinel < 0 }) else { return }
        let opened = try openFile(path, O_RDWR)
        guard identity.isSameLinkedFile(as: try? FileIdentity(descriptor: opened, path: path)) else {
            _ = close(opened)
            throw FileError("open", path, code: ESTALE)
        }
        state.withLock { state in
            state.sentinel = opened
            // Linux cleans up after a killed process from its highest descriptor down: with the sentinel beneath the
            // lock, watchers wake when the lock is already free (tried on 6.18: 800 of 800 times; the other way
            // round 698 of 800 woke too early). Where this fails, they wake a little early.
            let moved = fcntl(state.descriptor, F_DUPFD_CLOEXEC, opened + 1)
            if moved >= 0 {
                _ = close(state.descriptor)
                state.descriptor = moved
            }
        }
    }

    /// Makes the watchers of the directory receive ``DirectoryEvent/touched(_:)``, once the lock is armed.
    package func touch() {
        state.withLock { state in
            if state.sentinel >= 0 { _ = futimens(state.sentinel, nil) }
        }
    }

    /// Makes those who listen to the file itself receive ``DirectoryEvent/fileModified(_:)``, once the lock is armed.
    package func wakeListeners() {
        state.withLock { state in
            guard state.sentinel >= 0 else { return }
            var byte: UInt8 = 0
            _ = pwrite(state.sentinel, &byte, 1, 0)
        }
    }

    /// Whether the path still leads to the file that was locked.
    package func isIntact() throws(FileError) -> Bool {
        let descriptor = state.withLock { $0.descriptor }
        guard descriptor >= 0 else { return false }
        let held = try FileIdentity(descriptor: descriptor, path: path)
        return held.isSameLinkedFile(as: try FileIdentity(path: path))
    }

    /// Whether somebody has a ``FileSeat`` at this file.
    package var hasListeners: Bool {
        state.withLock { $0.descriptor >= 0 && FileSeat.isAnyTaken(at: $0.descriptor) }
    }

    /// Unlocks, and wakes nobody yet; follow it up with ``release()``.
    package func unlock() {
        state.withLock { state in
            if state.descriptor >= 0 { _ = flock(state.descriptor, LOCK_UN) }
        }
    }

    /// Unlocks, then wakes the watchers; does nothing the second time.
    package func release() {
        let mustWake = state.withLock { state in
            guard state.descriptor >= 0 else { return false }
            // Unlocking before closing: whoever is woken by the close finds the lock free.
            _ = flock(state.descriptor, LOCK_UN)
            return state.isShared
        }
        closeAll()
        // A copy of the sentinel in another process keeps ours from being the last one, and so from being noticed.
        if mustWake, let descriptor = try? openFile(path, O_WRONLY) { _ = close(descriptor) }
    }

    /// The descriptors that keep the lock, for a child process to inherit.
    package func descriptorsToShare() -> [Int32] {
        state.withLock { state in
            state.isShared = true
            return [state.descriptor, state.sentinel].filter { $0 >= 0 }
        }
    }

    private func closeAll() {
        state.withLock { state in
            if state.descriptor >= 0 { _ = close(state.descriptor) }
            if state.sentinel >= 0 { _ = close(state.sentinel) }
            (state.descriptor, state.sentinel) = (-1, -1)
        }
    }

    /// Opens the file or makes it; nil if it vanished or appeared in between.
    private static func open(_ path: String, writable: Bool) throws(FileError) -> (Int32, created: Bool)? {
        let access = writable ? O_RDWR : O_RDONLY
        do {
            return (try openFile(path, access), false)
        } catch let error where error.code == ENOENT {
            // Not O_CREAT at once: who made the file matters, and sticky directories refuse O_CREAT on foreign files.
            do {
                return (try openFile(path, access | O_CREAT | O_EXCL, mode: 0o660), true)
            } catch let error where error.code == EEXIST {
                return nil
            }
        }
    }

    private static func tryLock(_ descriptor: Int32, _ kind: Int32, _ path: String) throws(FileError) -> Bool {
        do {
            try systemCall("flock", path) { flock(descriptor, kind | LOCK_NB) }
            return true
        } catch let error where error.code == EWOULDBLOCK {
            return false
        }
    }
}
