// SPDX-License-Identifier: MIT
#if Postgres
public import LeaderElection

/// Lets a transaction of yours go through only while its term is the current one.
///
/// A leader that was paused between "am I the leader?" and its write does not know that another leads by now. The
/// database does: run ``statement`` as a part of the transaction that writes, in the same database, with any client.
/// It raises an error when another term was granted, or this one was released, and that aborts the transaction.
/// If it does not, nobody else is granted the lease before the transaction has ended:
///
/// ```sql
/// BEGIN;
/// -- fence.statement, with fence.group as $1 and fence.term as $2
/// UPDATE accounts SET …;
/// COMMIT;
/// ```
/// Renewals go on meanwhile. Keep such transactions short, and set `idle_in_transaction_session_timeout`: while one is
/// open, a new leader has to wait for it. The user needs SELECT and UPDATE on the table of leases.
///
/// Where the data is in *another* database, or written by something that cannot run the statement, keep the largest
/// term beside the data instead, and let each write test it: `UPDATE … SET …, fence = $1 WHERE id = $2 AND fence <= $1`.
public struct PostgresFence: Sendable, Hashable {
    /// The group; the value of `$1`, of type text.
    public let group: String
    /// The term that must be the current one; the value of `$2`, of type bigint.
    public let term: Int64
    /// One row with the term, or an error.
    public let statement: String
    /// Whether the term is the current one, as a condition for a `WHERE`; nothing is written where it is not.
    ///
    /// Holds off the next leader as ``statement`` does, but raises no error: look at the number of rows.
    public let condition: String

    init(table: String, group: ElectionGroup, term: Int64) {
        self.group = group.name
        self.term = term
        // A lock that renewals, which change no key, do not wait for; a grant changes the key (grp, term), and does.
        let row = "SELECT l.term FROM \(table) l WHERE l.grp = $1::text AND l.term = $2::bigint AND l.nonce IS NOT NULL"
        condition = "EXISTS (\(row) FOR KEY SHARE)"
        // A cast that fails is the only way to raise an error with words of our own without a function.
        statement = """
            SELECT coalesce((\(row) FOR KEY SHARE)::text,
                'term ' || $2::bigint || ' of "' || $1::text || '" is not the current one') ::bigint AS term
            """
    }
}

extension PostgresElectionProvider {
    /// What lets a transaction through only while this is the group's current term.
    public func fence(for group: ElectionGroup, term: Int64) -> PostgresFence {
        PostgresFence(table: store.settings.qualified(store.settings.table), group: group, term: term)
    }

    /// What lets a transaction through only while this leadership is the current one.
    public func fence(for leadership: Leadership) -> PostgresFence {
        fence(for: leadership.group, term: leadership.term)
    }
}
#endif
