// SPDX-License-Identifier: MIT
#if SQLite
internal import ElectionFiles
internal import LeaderElection

/// A database that was opened, found suitable, and has its tables.
///
/// Other files of the database are only ever looked at with `stat`: opening and closing one of them would drop
/// the POSIX locks by which SQLite protects it from other processes.
final class SQLiteConnection {
    let handle: SQLiteHandle
    /// Where the database really is, without its name, with symbolic links resolved.
    let directory: String
    /// The name of the database's file.
    let name: String
    private let paths: [String]
    private let files: [FileIdentity?]
    private var isKnownToHaveNotes = false

    /// Opens the database and makes the tables if there are none.
    ///
    /// - Parameters:
    ///   - clock: the boot clock, and `domain` within which it can be compared.
    ///   - largestLease: how long a lease may last that a database before this one has granted.
    init(
        path: String,
        createIfMissing: Bool,
        clock: any ElectionClock,
        domain: String,
        largestLease: Duration
    ) throws {
        handle = try SQLiteHandle(path: path, createIfMissing: createIfMissing)
        let mode = try handle.execute("PRAGMA journal_mode = WAL")
        guard mode == "wal" else {
            throw ElectionError(
                .storeUnsuitable,
                "the database \(path) cannot use a write-ahead log (its journal mode stays \(mode ?? "unknown")); "
                    + "put it on a local file system"
            )
        }
        // With less, a power cut may undo the last grants, and with them their terms.
        try handle.execute("PRAGMA synchronous = FULL")
        guard let resolved = handle.resolvedPath, let slash = resolved.lastIndex(of: "/"),
            let file = try FileIdentity(path: resolved)
        else {
            throw ElectionError(.storeUnavailable, "the database \(path) disappeared while it was opened")
        }
        // A symbolic link that is set to another database counts as a replacement, too.
        paths = [path, resolved + "-wal", resolved + "-shm"]
        directory = slash == resolved.startIndex ? "/" : String(resolved[..<slash])
        name = String(resolved[resolved.index(after: slash)...])
        let isNew =
            try handle.execute(
                "SELECT count(*) FROM sqlite_schema WHERE name = 'leader_election_store'"
            ) == "0"
        let hasPredecessor = isNew && Self.anyProcessLives(directory: directory, database: name)
        try Self.prepareTables(
            handle,
            path,
            StoreIdentity(file: file, domain: domain, clock: clock),
            ifNewWait: hasPredecessor ? largestLease : nil
        )
        files = try Self.identities(paths)
        guard !handle.hasMoved else {
            throw ElectionError(.storeUnavailable, "the database \(path) was replaced while it was opened")
        }
    }

    /// Whether the database is still the one that its path leads to.
    ///
    /// Whoever opens the path after one of its files was replaced sees another database than we do.
    var isIntact: Bool {
        guard let now = try? Self.identities(paths) else { return false }
        return zip(files, now).allSatisfy { $0?.isSameLinkedFile(as: $1) ?? false }
    }

    /// Whether new leases must wait until those that another copy of the database granted are over.
    func quarantine(at now: ElectionInstant, in domain: String) throws -> AcquireAnswer? {
        var end: ElectionInstant?
        try handle.run(.quarantine) { row in
            if row.text(0) == domain { end = ElectionInstant(nanoseconds: row.integer(1)) }
        }
        guard let end, end > now else { return nil }
        return .deferred(
            retryAfter: end - now,
            reason: "the database was replaced or restored; leases of the old one may still be running"
        )
    }

    /// The newest change.
    func lastChange() throws -> Int64 {
        var last: Int64 = 0
        try handle.run(.lastChange) { last = $0.integer(0) }
        return last
    }

    /// The newest of the notes that others should hear of.
    func lastNews() throws -> Int64 {
        var last: Int64 = 0
        if try hasNotes() { try handle.run(.lastNews) { last = $0.integer(0) } }
        return last
    }

    /// Whether somebody has made the tables of notes.
    func hasNotes() throws -> Bool {
        if !isKnownToHaveNotes { try handle.run(.hasNotes) { _ in isKnownToHaveNotes = true } }
        return isKnownToHaveNotes
    }

    private static func identities(_ paths: [String]) throws -> [FileIdentity?] {
        try paths.map { try FileIdentity(path: $0, followingLink: true) }
    }

    /// What tells this file from a copy of it.
    private struct StoreIdentity {
        var file: FileIdentity
        var domain: String
        var clock: any ElectionClock
    }

    private static func prepareTables(
        _ handle: SQLiteHandle,
        _ path: String,
        _ identity: StoreIdentity,
        ifNewWait wait: Duration?
    ) throws {
        let inode = String(identity.file.inode)
        func isMissing() throws -> Bool {
            try handle.execute("SELECT count(*) FROM sqlite_schema WHERE name = 'leader_election_store'") == "0"
        }
        if try isMissing() {
            try handle.transaction(.beginImmediate) {
                // Another process may have been faster.
                guard try isMissing() else { return }
                try handle.execute(LeaseQuery.schema)
                let end = wait.map { identity.clock.now + $0 }?.nanoseconds ?? 0
                try handle.execute(
                    "INSERT INTO leader_election_store VALUES (?1, ?2, ?3, ?4)",
                    .integer(LeaseQuery.schemaVersion),
                    .text(inode),
                    .text(identity.domain),
                    .integer(end)
                )
            }
        }
        let version = try handle.execute("SELECT version FROM leader_election_store").flatMap { Int64($0) } ?? 0
        guard version == LeaseQuery.schemaVersion else {
            throw ElectionError(
                .storeUnsuitable,
                "the tables in \(path) have version \(version), this program knows version "
                    + "\(LeaseQuery.schemaVersion); update it, or use another database"
            )
        }
        guard try handle.execute("SELECT file_identity FROM leader_election_store") != inode else { return }
        // A copy or a restored backup: leases that the original has granted since are not in it.
        try handle.transaction(.beginImmediate) {
            guard try handle.execute("SELECT file_identity FROM leader_election_store") != inode else { return }
            let longest = try handle.execute("SELECT coalesce(max(ttl_ms), 0) FROM leader_election_lease")
            let end = identity.clock.now + .milliseconds(longest.flatMap { Int64($0) } ?? 0)
            try handle.execute(
                "UPDATE leader_election_store SET file_identity = ?1, clock_domain = ?2, grants_after_ns = ?3",
                .text(inode),
                .text(identity.domain),
                .integer(end.nanoseconds)
            )
        }
    }
}
#endif
