// SPDX-License-Identifier: MIT
#if Postgres

/// The texts of the statements for notes; each is one transaction.
struct PostgresNoteQueries: Sendable {
    let write: PostgresStatement
    let remove: PostgresStatement
    let read: PostgresStatement
    let sweep: PostgresStatement
    let fingerprints: PostgresStatement

    init(_ settings: PostgresSettings) {
        let note = settings.qualified(settings.noteTable)
        write = PostgresStatement(Self.write(note: note, channel: SQLName.literal(settings.channel.name)))
        remove = PostgresStatement(Self.remove(note: note))
        read = PostgresStatement(Self.read(note: note))
        sweep = PostgresStatement(Self.sweep(note: note))
        fingerprints = PostgresStatement(Self.fingerprints(note: note))
    }

    // Written hurriedly, all of them: what a crash of the server undoes is written again soon, or runs out.

    // $1 groups, $2 keys, $3 texts, $4 lifetimes in ms, $5 groups for which this is news
    //
    // Rows are locked in one order, and those that are over only at the end and without waiting, so that two who write to
    // the same groups cannot wait for each other. A text that is the same keeps its place, however long it is.
    private static func write(note: String, channel: String) -> String {
        """
        WITH hurried AS MATERIALIZED (
            SELECT CASE WHEN cardinality($5::text[]) = 0 THEN \(PostgresQueries.hurriedly) END AS setting
        ), input AS MATERIALIZED (
            SELECT * FROM unnest($1::text[], $2::text[], $3::text[], $4::bigint[]) AS i(grp, key, note, ttl)
        ), written AS (
            INSERT INTO \(note) AS n (grp, key, note, expires)
            SELECT i.grp, i.key, i.note, clock_timestamp() + i.ttl * interval '1 millisecond'
            FROM input i ORDER BY i.grp COLLATE "C", i.key COLLATE "C"
            ON CONFLICT (grp, key) DO UPDATE SET expires = excluded.expires,
                note = CASE WHEN n.note = excluded.note THEN n.note ELSE excluded.note END
            RETURNING 1
        ), done AS MATERIALIZED (
            SELECT count(*) AS count FROM written
        ), forgotten AS (
            DELETE FROM \(note) AS n USING (
                SELECT o.grp, o.key FROM done d CROSS JOIN LATERAL (
                    SELECT e.grp, e.key FROM \(note) e
                    WHERE e.grp = ANY ($1::text[]) AND e.expires <= clock_timestamp() AND d.count >= 0
                        AND NOT EXISTS (SELECT 1 FROM input i WHERE i.grp = e.grp AND i.key = e.key)
                    FOR UPDATE SKIP LOCKED
                ) AS o
            ) AS over
            WHERE n.grp = over.grp AND n.key = over.key
            RETURNING 1
        ), told AS MATERIALIZED (
            SELECT pg_notify(\(channel), 'n:' || g.grp) FROM unnest($5::text[]) AS g(grp)
        )
        SELECT (SELECT count FROM done), (SELECT count(*) FROM forgotten), (SELECT count(*) FROM told),
            (SELECT count(setting) FROM hurried)
        """
    }

    // $1 groups, $2 keys
    private static func remove(note: String) -> String {
        """
        WITH hurried AS MATERIALIZED (SELECT \(PostgresQueries.hurriedly) AS setting), removed AS (
            DELETE FROM \(note) AS n USING (
                SELECT e.grp, e.key FROM \(note) e
                JOIN (SELECT DISTINCT * FROM unnest($1::text[], $2::text[]) AS u(grp, key)) AS i
                    ON e.grp = i.grp AND e.key = i.key
                ORDER BY e.grp, e.key FOR UPDATE OF e
            ) AS i
            WHERE n.grp = i.grp AND n.key = i.key
            RETURNING 1
        )
        SELECT (SELECT count(*) FROM removed), (SELECT count(setting) FROM hurried)
        """
    }

    // $1 groups
    private static func read(note: String) -> String {
        """
        SELECT i.n, n.key, n.note FROM unnest($1::text[]) WITH ORDINALITY AS i(grp, n)
        JOIN \(note) n ON n.grp = i.grp AND n.expires > clock_timestamp() ORDER BY i.n, n.key
        """
    }

    // $1 groups
    //
    /// A number for each group that has notes, which is another one when their keys or texts are.
    private static func fingerprints(note: String) -> String {
        """
        SELECT i.n, hashtextextended(string_agg(n.key || chr(31) || n.note, chr(30) ORDER BY n.key), 7306)
        FROM unnest($1::text[]) WITH ORDINALITY AS i(grp, n)
        JOIN \(note) n ON n.grp = i.grp AND n.expires > clock_timestamp() GROUP BY i.n
        """
    }

    /// Of groups to which nobody writes any more; a few at a time.
    private static func sweep(note: String) -> String {
        """
        WITH hurried AS MATERIALIZED (SELECT \(PostgresQueries.hurriedly) AS setting), removed AS (
            DELETE FROM \(note) AS n USING (
                SELECT e.grp, e.key FROM \(note) e WHERE e.expires <= clock_timestamp() LIMIT 1000 FOR UPDATE SKIP LOCKED
            ) AS over
            WHERE n.grp = over.grp AND n.key = over.key
            RETURNING 1
        )
        SELECT (SELECT count(*) FROM removed), (SELECT count(setting) FROM hurried)
        """
    }
}
#endif
