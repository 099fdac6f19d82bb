// SPDX-License-Identifier: MIT
#if Postgres

/// What tells the database that keeps the leases from another one, or from an older copy of itself.
///
/// Another system, another timeline (a standby that became the primary, a recovery to an earlier time), or a table
/// that was emptied by `TRUNCATE` or made anew may all have forgotten a lease that its holder still relies on.
struct PostgresAuthority: Sendable, Equatable {
    /// Whether this user may ask for the system's identifier.
    var tellsSystem: Bool
    /// Whether the server tells its timeline.
    var tellsTimeline: Bool

    static let systemQuery = "(SELECT c.system_identifier::text FROM pg_control_system() c)"
    // The control file names the timeline of the last checkpoint, which a new primary may still have to write.
    static let timelineQuery = "substr(pg_walfile_name(pg_current_wal_insert_lsn()), 1, 8)"

    struct Expressions {
        let system: String
        let timeline: String
        let storage: String

        /// Whether the recorded authority is another one than this; what is not known does not differ.
        func differs(from record: String) -> String {
            """
            (coalesce(\(record).system_id <> \(system), false) OR coalesce(\(record).timeline <> \(timeline), false)
                OR coalesce(\(record).storage <> \(storage), false))
            """
        }
    }

    /// What a server said of itself.
    struct Server: Sendable, Equatable {
        let system: String?
        let timeline: String?

        /// The same for all connections that can know of the same leases; nil if that cannot be told.
        var name: String? {
            guard let system, let timeline else { return nil }
            return "\(system)/\(timeline)"
        }
    }

    /// As ``expressions(table:)``, but only the storage is looked at: a server that is the primary keeps its identifier
    /// and its timeline until it ends, and the connection with it.
    func expressions(table: String, of server: Server) -> Expressions {
        func literal(_ text: String?) -> String { text.map { SQLName.literal($0) } ?? "NULL" }
        return Expressions(
            system: literal(server.system) + "::text",
            timeline: literal(server.timeline) + "::text",
            storage: expressions(table: table).storage
        )
    }

    /// - Parameter table: the name of the table of leases, as a literal.
    func expressions(table: String) -> Expressions {
        Expressions(
            system: tellsSystem ? Self.systemQuery : "NULL::text",
            timeline: tellsTimeline ? Self.timelineQuery : "NULL::text",
            storage: "(\(table)::regclass::oid::text || '/' || pg_relation_filenode(\(table)::regclass)::text)"
        )
    }
}
#endif
