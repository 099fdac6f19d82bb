// SPDX-License-Identifier: MIT
#if SQLite
internal import ElectionFiles
internal import LeaderElection

#if canImport(Glibc)
internal import Glibc
#elseif canImport(Musl)
internal import Musl
#else
internal import Darwin
#endif

/// A file beside the database, locked as long as this provider lives; each lease names the file of its holder.
///
/// Whoever finds the lock free knows that the holder's process is gone, without waiting for the lease to run out.
/// A name is never used twice, so that finding is true for ever. A *missing* file proves nothing.
final class ProcessLock: Sendable {
    /// The name of the file; part of the rows that this provider writes.
    let name: String
    let directory: String
    private let lock: FileLock

    init(directory: String, database: String) throws {
        while true {
            let name = Self.prefix(of: database) + Nonce().description
            // Not won, or not made by us: somebody who cleans up looked at it first. Leave that one alone.
            guard case .won(let lock, created: true) = try FileLock.attempt(path: directory + "/" + name) else {
                continue
            }
            try lock.arm()
            (self.lock, self.name, self.directory) = (lock, name, directory)
            return
        }
    }

    /// First the name goes, then the lock: nobody takes the end of this provider for the death of its process
    /// while a lease that it failed to release is still running.
    deinit {
        unlink(lock.path)
        lock.release()
    }

    /// Whether others can still find the file.
    var isIntact: Bool { (try? lock.isIntact()) ?? false }

    /// Tells the watchers of the directory that a commit is complete and visible.
    ///
    /// The log's own event comes when its bytes are written, *before* they count: a reader that wakes by it may
    /// see nothing new, and no event follows.
    func announceCommit() { lock.touch() }

    func descriptors() -> [Int32] { lock.descriptorsToShare() }

    static func prefix(of database: String) -> String { database + "-alive-" }
}

extension SQLiteConnection {
    /// Whether a name can be that of a process's file.
    ///
    /// No other file is ever opened, whatever the table says: closing a file of the database would drop SQLite's
    /// locks on it.
    static func isProcessFile(_ file: String, of database: String) -> Bool {
        let prefix = ProcessLock.prefix(of: database)
        return file.hasPrefix(prefix) && Nonce(file.dropFirst(prefix.count)) != nil
    }

    /// Whether the process that wrote this name into its lease is proved to be gone.
    ///
    /// - Parameters:
    ///   - ended: names already found to be gone during this call, and `living` those found to live.
    func hasEnded(_ file: String?, _ ended: inout Set<String>, _ living: inout Set<String>) -> Bool {
        guard let file, Self.isProcessFile(file, of: name) else { return false }
        if ended.contains(file) { return true }
        if living.contains(file) { return false }
        if Self.isFree(directory + "/" + file) {
            ended.insert(file)
            return true
        }
        living.insert(file)
        return false
    }

    /// The files of processes that are gone.
    func endedProcessFiles() -> [String] {
        Self.processFiles(directory, name).filter { Self.isFree(directory + "/" + $0) }
    }

    /// How many providers use the database, or did and left a file behind.
    var processCount: Int { Self.processFiles(directory, name).count }

    /// Removes the file of a process that is gone, when no lease names it any more.
    func removeProcessFile(_ file: String) {
        guard Self.isProcessFile(file, of: name) else { return }
        unlink(directory + "/" + file)
    }

    /// Whether a provider lives that may have used an earlier database of this name.
    static func anyProcessLives(directory: String, database: String) -> Bool {
        processFiles(directory, database).contains { (try? FileLock.isHeld(path: directory + "/" + $0)) ?? true }
    }

    /// There, not locked, and still the same afterwards.
    private static func isFree(_ path: String) -> Bool {
        guard let before = try? FileIdentity(path: path), before.isRegularFile,
            let isHeld = try? FileLock.isHeld(path: path), !isHeld,
            let after = try? FileIdentity(path: path)
        else { return false }
        return before.isSameLinkedFile(as: after)
    }

    private static func processFiles(_ directory: String, _ database: String) -> [String] {
        ((try? fileNames(in: directory)) ?? []).filter { isProcessFile($0, of: database) }
    }
}
#endif
