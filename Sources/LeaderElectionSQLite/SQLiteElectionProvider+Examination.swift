// SPDX-License-Identifier: MIT
#if SQLite
internal import ElectionFiles
package import LeaderElection

extension SQLiteElectionProvider: ExaminableProvider {
    /// The kind of file system, whether the kernel can tell of releases, and how the database keeps what it was given.
    package func examine() async throws -> [StoreFinding] {
        try examineDirectory(store.settings.parentDirectory) + [try await store.journal()]
    }

    /// Nil: leases are timed by this machine's own boot clock.
    package func storeClock() async throws -> Int64? { nil }
}

extension SQLiteLeaseStore {
    /// A mode that is no good has the database refused when it is opened.
    func journal() async throws -> StoreFinding {
        let (mode, version) = try await attempt(until: .now + .seconds(1)) { connection in
            (
                try connection.handle.execute("PRAGMA journal_mode"),
                try connection.handle.execute("SELECT sqlite_version()")
            )
        }
        return .fine(
            "journal",
            "journal mode \(mode ?? "unknown"), each grant waits for the disk (synchronous FULL), SQLite \(version ?? "")"
        )
    }
}
#endif
