// SPDX-License-Identifier: MIT
#if Postgres
package import LeaderElection

extension PostgresElectionProvider: ExaminableProvider {
    /// What the server would lose in a crash or a fail-over, and whether somebody stands between.
    package func examine() async throws -> [StoreFinding] {
        try await store.examine(failsOverAsynchronously: guarantees.exclusion == .asynchronousFailover)
    }

    /// The server's clock, by which leases are timed.
    package func storeClock() async throws -> Int64? {
        let text = "SELECT (extract(epoch FROM clock_timestamp()) * 1000000)::bigint"
        return try await store.work.run({ _ in PostgresStatement(text) }, timeout: .seconds(2)) { reply in
            reply.result.integer(0, 0).map { $0 &* 1000 }
        }
    }
}

extension PostgresStore {
    /// What the server says of itself, as this user sees it.
    struct ServerState: Sendable {
        var version: String
        var isInRecovery = false
        var fsync = "on"
        var fullPageWrites = "on"
        var synchronousCommit = "on"
        var synchronousStandbys = ""
        var standbys = 0
        var connectionsLeft: Int64 = 1000
    }

    func examine(failsOverAsynchronously: Bool) async throws -> [StoreFinding] {
        let text = """
            SELECT current_setting('server_version'), pg_is_in_recovery(), current_setting('fsync'),
                current_setting('full_page_writes'), current_setting('synchronous_commit'),
                current_setting('synchronous_standby_names'), (SELECT count(*) FROM pg_stat_replication),
                current_setting('max_connections')::bigint - current_setting('superuser_reserved_connections')::bigint
                    - (SELECT coalesce(sum(numbackends), 0) FROM pg_stat_database)
            """
        let state = try await work.run({ _ in PostgresStatement(text) }, timeout: .seconds(2)) { reply in
            let row = reply.result
            return ServerState(
                version: row.text(0, 0) ?? "",
                isInRecovery: row.flag(0, 1),
                fsync: row.text(0, 2) ?? "",
                fullPageWrites: row.text(0, 3) ?? "",
                synchronousCommit: row.text(0, 4) ?? "",
                synchronousStandbys: row.text(0, 5) ?? "",
                standbys: Int(row.integer(0, 6) ?? 0),
                connectionsLeft: row.integer(0, 7) ?? 0
            )
        }
        return Self.findings(state, failsOverAsynchronously: failsOverAsynchronously)
    }

    static func findings(_ state: ServerState, failsOverAsynchronously: Bool) -> [StoreFinding] {
        [
            recovery(state), durability(state),
            standbys(state, failsOverAsynchronously: failsOverAsynchronously), room(state),
        ]
    }

    private static func recovery(_ state: ServerState) -> StoreFinding {
        guard state.isInRecovery else { return .fine("recovery", "a primary of PostgreSQL \(state.version)") }
        return .trouble(
            "recovery",
            "a standby of PostgreSQL \(state.version), in recovery",
            why: "nothing can be granted there",
            remedy: "name the primary, or all servers with target_session_attrs=read-write"
        )
    }

    private static func durability(_ state: ServerState) -> StoreFinding {
        var seen =
            "fsync \(state.fsync), full_page_writes \(state.fullPageWrites), synchronous_commit "
            + state.synchronousCommit
        if ["off", "local"].contains(state.synchronousCommit) {
            seen += " (elections raise it to on for grants and renewals)"
        }
        guard state.fsync != "on" || state.fullPageWrites != "on" else { return .fine("durability", seen) }
        return .trouble(
            "durability",
            seen,
            why: "a crash of the server's machine may undo grants, so that two lead, or destroy the table",
            remedy: "set fsync and full_page_writes to on"
        )
    }

    private static func standbys(_ state: ServerState, failsOverAsynchronously: Bool) -> StoreFinding {
        guard state.standbys > 0 else { return .fine("standbys", "no standby is connected") }
        let count = state.standbys == 1 ? "1 standby is" : "\(state.standbys) standbys are"
        guard state.synchronousStandbys.isEmpty else {
            return .fine("standbys", "\(count) connected, synchronous: \(state.synchronousStandbys)")
        }
        let seen = "\(count) connected, and none is synchronous"
        if failsOverAsynchronously { return .fine("standbys", seen + ", as this candidate is told") }
        return .trouble(
            "standbys",
            seen,
            why: "if one takes over, the last grants may be lost, and candidates do not reckon with it",
            remedy: "set synchronous_standby_names, or postgres-fails-over-asynchronously for all candidates"
        )
    }

    private static func room(_ state: ServerState) -> StoreFinding {
        let seen = "\(max(0, state.connectionsLeft)) connections are left"
        guard state.connectionsLeft < 6 else { return .fine("room", seen) }
        return .trouble(
            "room",
            seen,
            why: "each process takes two; who gets none cannot renew after a lost connection",
            remedy: "raise max_connections, or put a pooler in session mode between"
        )
    }
}
#endif
