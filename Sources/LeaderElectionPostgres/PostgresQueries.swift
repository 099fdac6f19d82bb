// SPDX-License-Identifier: MIT
#if Postgres
internal import LeaderElection

/// The texts of all statements for one pair of tables.
///
/// Each is one transaction, and evaluates `clock_timestamp()` while it runs: `now()` is the time at which a
/// transaction began, which can be long before it got its locks.
final class PostgresQueries: Sendable {
    let acquire: PostgresStatement
    /// For one lease that was just given back: grants it, or answers nothing at all; it tells nobody.
    let acquireFreed: PostgresStatement
    /// Tells of one grant.
    let announce: PostgresStatement
    let register: PostgresStatement
    let renew: PostgresStatement
    let release: PostgresStatement
    /// For one lease, told of on the channel that it is given: answers nothing if it is not held.
    let releaseOne: PostgresStatement
    /// The same, told of on several channels.
    let releaseOneByLot: PostgresStatement
    /// The same, told to nobody.
    let releaseUntold: PostgresStatement
    /// Lets go of the locks of a session that stands in line.
    let letGoOfAll = PostgresStatement("SELECT pg_advisory_unlock_all()")
    /// Tells everybody of one lease that was given back, if it still is free.
    let tellOfRelease: PostgresStatement
    let holders: PostgresStatement
    /// Which of these groups nobody leads since their last term was given back.
    let released: PostgresStatement
    let transfer: PostgresStatement

    /// - Parameters:
    ///   - authority: what of the server's identity can be asked for.
    ///   - connected: what of it cannot change before the connection ends; nil if each statement may meet another server.
    init(settings: PostgresSettings, authority: PostgresAuthority, connected: PostgresAuthority.Server? = nil) {
        let lease = settings.qualified(settings.table)
        let record = settings.qualified(settings.authorityTable)
        let identity = authority.expressions(table: SQLName.literal(lease))
        let channel = SQLName.literal(settings.channel.name)
        acquire = PostgresStatement(Self.acquire(lease: lease, authority: record, identity: identity, channel: channel))
        acquireFreed = PostgresStatement(
            Self.acquireFreed(
                lease: lease,
                authority: record,
                identity: connected.map { authority.expressions(table: SQLName.literal(lease), of: $0) } ?? identity
            )
        )
        announce = PostgresStatement(Self.announce(channel: channel))
        register = PostgresStatement(Self.register(authority: record, identity: identity))
        renew = PostgresStatement(Self.renew(lease: lease))
        release = PostgresStatement(Self.release(lease: lease, channel: channel))
        releaseOne = PostgresStatement(Self.releaseOne(lease: lease, telling: Self.tellRelease(on: "$4::text")))
        let telling = "(SELECT count(\(Self.tellRelease(on: "c.name"))) FROM unnest($4::text[]) AS c(name))"
        releaseOneByLot = PostgresStatement(Self.releaseOne(lease: lease, telling: telling))
        releaseUntold = PostgresStatement(Self.releaseOne(lease: lease, telling: "NULL"))
        tellOfRelease = PostgresStatement(Self.tellOfRelease(lease: lease, channel: channel))
        holders = PostgresStatement(Self.holders(lease: lease))
        released = PostgresStatement(Self.released(lease: lease))
        transfer = PostgresStatement(Self.transfer(lease: lease, authority: record, channel: channel))
    }

    /// The statements of an election, each for no group at all.
    ///
    /// A server reads its catalogs and plans a statement when it meets it first, which takes longer than to carry it
    /// out: better while nobody waits.
    var warmUps: [PostgresStatement] {
        var (one, three, four, nine) = (
            PostgresParameters(), PostgresParameters(), PostgresParameters(), PostgresParameters()
        )
        one.add(texts: [])
        three.add(texts: [])
        three.add(nonces: [])
        three.add(integers: [])
        four = three
        four.add(integers: [])
        nine.add(texts: [])
        nine.add(nonces: [])
        nine.add(nonces: [])
        nine.add(texts: [])
        nine.add(nonces: [])
        nine.add(texts: [])
        for _ in 0..<3 { nine.add(integers: []) }
        nine.add(Int64?.none)
        nine.add(0)
        var released = Self.noRelease
        var releasedByLot = released
        released.add("")
        releasedByLot.add(texts: [])
        return [
            acquire.with(nine), acquireFreed.with(Self.noGrant), renew.with(four), release.with(three),
            releaseOne.with(released), releaseOneByLot.with(releasedByLot), holders.with(one),
        ]
    }

    /// The same, of a connection that stands in line.
    var warmUpsInLine: [PostgresStatement] {
        [acquireFreed.with(Self.noGrant), .begin, releaseUntold.with(Self.noRelease), .commit, letGoOfAll]
    }

    private static var noGrant: PostgresParameters {
        var parameters = PostgresParameters()
        parameters.add("")
        parameters.add(Nonce?.none)
        parameters.add("")
        parameters.add(Nonce?.none)
        parameters.add("{}")
        parameters.add(0)
        parameters.add(0)
        return parameters
    }

    private static var noRelease: PostgresParameters {
        var parameters = PostgresParameters()
        parameters.add("")
        parameters.add(Nonce?.none)
        parameters.add(Int64?.none)
        return parameters
    }

    /// How long to wait for a lock at a time, in ms: less than what is written to a server's log as slow, or as a lock that is
    /// waited for, and than what is given up; and short enough that old versions of rows are cleared up meanwhile.
    static let patienceInLine = """
        SELECT t.patience, set_config('lock_timeout', t.patience::text, false) FROM (
            SELECT least(800, greatest(1, min(setting::bigint) * 4 / 5)) AS patience FROM pg_settings WHERE name IN
            ('deadlock_timeout', 'log_min_duration_statement', 'log_min_duration_sample', 'statement_timeout',
                'transaction_timeout') AND setting::bigint > 0
        ) AS t
        """

    /// A grant that is lost in a crash of the server would be granted again, so that "off" and "local" will not do.
    private static let durably = """
        CASE WHEN current_setting('synchronous_commit') IN ('off', 'local')
            THEN set_config('synchronous_commit', 'on', true) END
        """

    /// For what a crash of the server may undo: no disk and no standby is waited for.
    static let hurriedly = "set_config('synchronous_commit', 'off', true)"

    /// How long it is since 1970.
    ///
    /// A double tells microseconds apart until the year 2106, and is had for less than the exact number of `extract`.
    private static func microseconds(_ expression: String) -> String {
        "(date_part('epoch', \(expression)) * 1000000)::bigint"
    }

    /// How long it is from one time to another, in µs: zero if it is over, a century at most, and null for no time.
    ///
    /// People write `infinity` where a time stands. No number can be made of that, and one row must not fail a statement for
    /// the groups of all others.
    private static func microseconds(from clock: String, until time: String) -> String {
        """
        CASE WHEN \(time) <= \(clock) THEN 0 WHEN \(time) > \(clock) + interval '100 years' THEN 3155760000000000
            WHEN \(time) IS NOT NULL THEN greatest(0, \(microseconds(time)) - \(microseconds(clock))) END
        """
    }

    /// Grows by one, and begins again after the largest number there is.
    private static let nextSequence = "l.seq % 9223372036854775807 + 1"

    private static let newTerm = "(date_part('epoch', clock_timestamp()) * 1000)::bigint"

    // $1 groups, $2 nonces, $3 previous nonces, $4 holders, $5 incarnations, $6 metadata, $7 leases in ms,
    // $8 observed terms, $9 observed sequences, $10 latest credible server time in µs, $11 longest lease in ms
    //
    // ON CONFLICT names no index: two that ask for a new group in the same millisecond meet in the one over group and term
    // as well, and an index that is not named there would raise an error.
    private static func acquire(
        lease: String,
        authority: String,
        identity: PostgresAuthority.Expressions,
        channel: String
    ) -> String {
        let isFree = """
            (l.nonce IS NULL OR l.nonce = i.nonce OR l.nonce = i.prev
                OR (l.expires <= clock_timestamp() AND NOT s.doubted) OR (l.term = i.oterm AND l.seq = i.oseq))
            """
        let isOwn = "(l.nonce = i.nonce AND l.expires > clock_timestamp())"
        return """
            WITH durable AS MATERIALIZED (SELECT \(durably) AS setting
            ), input AS MATERIALIZED (
                SELECT * FROM unnest($1::text[], $2::uuid[], $3::uuid[], $4::text[], $5::uuid[], $6::text[],
                    $7::bigint[], $8::bigint[], $9::bigint[])
                    WITH ORDINALITY AS i(grp, nonce, prev, holder, incarnation, meta, ttl, oterm, oseq, n)
            ), server AS MATERIALIZED (
                SELECT clock_timestamp() AS clock,
                    coalesce(\(microseconds("clock_timestamp()")) > $10::bigint, false) AS doubted,
                    coalesce(NOT \(identity.differs(from: "a")) AND a.longest_lease_ms >= $11::bigint, false) AS known,
                    coalesce(\(microseconds(from: "clock_timestamp()", until: "a.no_grants_before")), 0) AS wait
                FROM (VALUES (1)) AS one(id) LEFT JOIN \(authority) a ON a.id = one.id
            ), found AS MATERIALIZED (
                SELECT i.n, l.*, l.grp IS NULL OR coalesce(\(isFree), false) AS free, coalesce(\(isOwn), false) AS own
                FROM server s CROSS JOIN input i LEFT JOIN \(lease) l ON l.grp = i.grp
            ), wanted AS MATERIALIZED (
                SELECT i.*, f.grp IS NULL AS missing FROM found f JOIN input i ON i.n = f.n CROSS JOIN server s
                WHERE f.free AND (f.own OR (s.known AND s.wait = 0)) ORDER BY i.grp
            ), inserted AS (
                INSERT INTO \(lease) AS l (grp, term, nonce, holder, incarnation, meta, ttl_ms, seq, expires)
                SELECT i.grp, \(newTerm), i.nonce, i.holder, i.incarnation, i.meta::jsonb, i.ttl, 0,
                    clock_timestamp() + i.ttl * interval '1 millisecond'
                FROM wanted i WHERE i.missing
                ON CONFLICT DO NOTHING RETURNING l.grp, l.term
            ), updated AS (
                UPDATE \(lease) AS l SET
                    term = CASE WHEN \(isOwn) THEN l.term ELSE greatest(l.term + 1, \(newTerm)) END,
                    seq = CASE WHEN \(isOwn) THEN \(nextSequence) ELSE 0 END,
                    nonce = i.nonce, holder = i.holder, incarnation = i.incarnation, meta = i.meta::jsonb,
                    ttl_ms = i.ttl, expires = clock_timestamp() + i.ttl * interval '1 millisecond'
                FROM (
                    SELECT w.* FROM wanted w CROSS JOIN LATERAL (
                        SELECT 1 FROM \(lease) r WHERE r.grp = w.grp FOR UPDATE SKIP LOCKED
                    ) AS locked
                ) AS i CROSS JOIN server s
                WHERE l.grp = i.grp AND l.term < 9223372036854775807 AND \(isFree)
                RETURNING l.grp, l.term, l.seq
            ), granted AS (
                SELECT grp, term, 0 AS seq FROM inserted UNION ALL SELECT grp, term, seq FROM updated
            ), told AS MATERIALIZED (
                SELECT g.grp, g.term, CASE WHEN g.seq = 0
                    THEN pg_notify(\(channel), 'a' || g.term || ':' || g.grp) END AS told FROM granted g
            )
            SELECT \(microseconds("s.clock")), t.term, f.free, s.known, s.wait, s.doubted,
                f.term, f.holder, f.incarnation, f.meta::text, f.ttl_ms, f.seq,
                \(microseconds(from: "s.clock", until: "f.expires")), (SELECT count(setting) FROM durable)
            FROM server s CROSS JOIN input i JOIN found f ON f.n = i.n LEFT JOIN told t ON t.grp = i.grp ORDER BY i.n
            """
    }

    // $1 group, $2 nonce, $3 holder, $4 incarnation, $5 metadata, $6 lease in ms, $7 longest lease in ms
    private static func acquireFreed(
        lease: String,
        authority: String,
        identity: PostgresAuthority.Expressions
    ) -> String {
        """
        UPDATE \(lease) AS l SET term = greatest(l.term + 1, \(newTerm)), seq = 0, nonce = $2::uuid, holder = $3::text,
            incarnation = $4::uuid, meta = $5::text::jsonb, ttl_ms = $6::bigint,
            expires = clock_timestamp() + $6::bigint * interval '1 millisecond'
        FROM \(authority) a
        WHERE a.id = 1 AND NOT \(identity.differs(from: "a")) AND a.longest_lease_ms >= $7::bigint
            AND a.no_grants_before <= clock_timestamp()
            AND l.nonce IS NULL AND l.term > 0 AND l.term < 9223372036854775807
            AND l.grp = (SELECT r.grp FROM \(lease) r WHERE r.grp = $1::text FOR UPDATE SKIP LOCKED)
        RETURNING \(microseconds("clock_timestamp()")), l.term, \(durably)
        """
    }

    // $1 group, $2 term
    private static func announce(channel: String) -> String {
        "SELECT pg_notify(\(channel), 'a' || $2::bigint || ':' || $1::text), \(hurriedly)"
    }

    // $1 longest lease in ms, $2 whether this client knows that there was a record, $3 whether to keep a quarantine
    private static func register(authority: String, identity: PostgresAuthority.Expressions) -> String {
        """
        INSERT INTO \(authority) AS a (id, system_id, timeline, storage, longest_lease_ms, no_grants_before)
        SELECT 1, \(identity.system), \(identity.timeline), \(identity.storage), $1::bigint,
            CASE WHEN NOT $3::boolean THEN to_timestamp(0)
                WHEN $2::boolean THEN clock_timestamp() + $1::bigint * interval '1 millisecond'
                WHEN pg_postmaster_start_time() + $1::bigint * interval '1 millisecond' > clock_timestamp()
                THEN pg_postmaster_start_time() + $1::bigint * interval '1 millisecond'
                ELSE to_timestamp(0) END
        ON CONFLICT (id) DO UPDATE SET
            no_grants_before = CASE WHEN $3::boolean AND \(identity.differs(from: "a"))
                THEN greatest(a.no_grants_before, clock_timestamp()
                    + greatest(a.longest_lease_ms, excluded.longest_lease_ms) * interval '1 millisecond')
                ELSE a.no_grants_before END,
            longest_lease_ms = greatest(a.longest_lease_ms, excluded.longest_lease_ms),
            system_id = coalesce(excluded.system_id, a.system_id),
            timeline = coalesce(excluded.timeline, a.timeline),
            storage = excluded.storage
        RETURNING \(microseconds(from: "clock_timestamp()", until: "a.no_grants_before"))
        """
    }

    // $1 groups, $2 nonces, $3 terms, $4 leases in ms
    private static func renew(lease: String) -> String {
        """
        WITH durable AS MATERIALIZED (SELECT \(durably) AS setting
        ), input AS MATERIALIZED (
            SELECT * FROM unnest($1::text[], $2::uuid[], $3::bigint[], $4::bigint[])
                WITH ORDINALITY AS i(grp, nonce, term, ttl, n)
        ), renewed AS (
            UPDATE \(lease) AS l SET seq = \(nextSequence), ttl_ms = i.ttl,
                expires = clock_timestamp() + i.ttl * interval '1 millisecond'
            FROM input i
            WHERE l.grp = i.grp AND l.nonce = i.nonce AND l.term = i.term AND l.expires > clock_timestamp()
            RETURNING i.n
        )
        SELECT \(microseconds("clock_timestamp()")), o.n, o.term, o.holder, o.incarnation, o.meta, o.ttl_ms, o.seq, o.left,
            (SELECT count(setting) FROM durable)
        FROM (VALUES (1)) AS one(id) LEFT JOIN (
            SELECT i.n, l.term, l.holder, l.incarnation, l.meta::text, l.ttl_ms, l.seq,
                \(microseconds(from: "clock_timestamp()", until: "l.expires")) AS left
            FROM input i LEFT JOIN \(lease) l
                ON l.grp = i.grp AND l.nonce IS NOT NULL AND l.nonce <> i.nonce AND l.expires > clock_timestamp()
            WHERE i.n NOT IN (SELECT r.n FROM renewed r)
        ) AS o ON true
        """
    }

    // $1 groups, $2 nonces, $3 terms
    //
    // A release that is lost in a crash of the server leaves the lease with whoever had it, until its time is up. A grant
    // that builds on a release is flushed before anybody knows of it, and the release before it with it, on synchronous
    // standbys as well: there is one log, in one order.
    private static func release(lease: String, channel: String) -> String {
        """
        WITH hurried AS MATERIALIZED (
            SELECT \(hurriedly) AS setting
        ), input AS MATERIALIZED (
            SELECT * FROM unnest($1::text[], $2::uuid[], $3::bigint[]) WITH ORDINALITY AS i(grp, nonce, term, n)
        ), released AS (
            UPDATE \(lease) AS l SET nonce = NULL, holder = NULL, incarnation = NULL, meta = NULL,
                expires = clock_timestamp()
            FROM input i WHERE l.grp = i.grp AND l.nonce = i.nonce AND (i.term IS NULL OR l.term = i.term)
            RETURNING i.n, l.grp, l.term
        ), told AS MATERIALIZED (
            SELECT r.n, pg_notify(\(channel), 'r' || r.term || ':' || r.grp) FROM released r
        )
        SELECT \(microseconds("clock_timestamp()")), t.n, (SELECT count(setting) FROM hurried)
        FROM (VALUES (1)) AS one(id) LEFT JOIN told t ON true
        """
    }

    // $1 group, $2 nonce, $3 term, $4 channel or channels
    private static func releaseOne(lease: String, telling: String) -> String {
        """
        UPDATE \(lease) AS l SET nonce = NULL, holder = NULL, incarnation = NULL, meta = NULL, expires = clock_timestamp()
        WHERE l.grp = $1::text AND l.nonce = $2::uuid AND ($3::bigint IS NULL OR l.term = $3::bigint)
        RETURNING \(microseconds("clock_timestamp()")), l.term, \(hurriedly), \(telling)
        """
    }

    private static func tellRelease(on channel: String) -> String {
        "pg_notify(\(channel), 'r' || l.term || ':' || l.grp)"
    }

    // $1 group, $2 term
    private static func tellOfRelease(lease: String, channel: String) -> String {
        """
        SELECT \(tellRelease(on: channel)), \(hurriedly)
        FROM \(lease) l WHERE l.grp = $1::text AND l.nonce IS NULL AND l.term = $2::bigint
        """
    }

    // $1 groups, $2 nonces, $3 terms, $4 nonces of the heirs, $5 holders, $6 incarnations, $7 metadata, $8 leases in ms
    //
    // A row that a fenced transaction holds is left alone, not waited for: renewals of other groups stand behind this.
    private static func transfer(lease: String, authority: String, channel: String) -> String {
        let isOwn = "l.nonce = i.nonce AND l.term = i.term AND l.expires > clock_timestamp()"
        return """
            WITH durable AS MATERIALIZED (SELECT \(durably) AS setting
            ), input AS MATERIALIZED (
                SELECT * FROM unnest($1::text[], $2::uuid[], $3::bigint[], $4::uuid[], $5::text[], $6::uuid[],
                    $7::text[], $8::bigint[]) WITH ORDINALITY AS i(grp, nonce, term, heir, holder, incarnation, meta, ttl, n)
            ), known AS MATERIALIZED (
                SELECT coalesce(max(a.longest_lease_ms), 0) AS longest FROM \(authority) a WHERE a.id = 1
            ), moved AS (
                UPDATE \(lease) AS l SET term = greatest(l.term + 1, \(newTerm)), seq = 0, nonce = i.heir,
                    holder = i.holder, incarnation = i.incarnation, meta = i.meta::jsonb, ttl_ms = i.ttl,
                    expires = clock_timestamp() + i.ttl * interval '1 millisecond'
                FROM (
                    SELECT w.* FROM input w CROSS JOIN LATERAL (
                        SELECT 1 FROM \(lease) r WHERE r.grp = w.grp FOR UPDATE SKIP LOCKED
                    ) AS locked WHERE w.ttl <= (SELECT k.longest FROM known k)
                ) AS i
                WHERE l.grp = i.grp AND \(isOwn) AND l.term < 9223372036854775807
                RETURNING i.n, l.grp, l.term
            ), told AS MATERIALIZED (
                SELECT m.n, m.term, pg_notify(\(channel), 't' || m.term || ':' || m.grp) FROM moved m
            )
            SELECT \(microseconds("clock_timestamp()")), t.term, coalesce(\(isOwn), false), i.ttl > k.longest,
                (SELECT count(setting) FROM durable)
            FROM known k CROSS JOIN input i LEFT JOIN told t ON t.n = i.n LEFT JOIN \(lease) l ON l.grp = i.grp ORDER BY i.n
            """
    }

    // $1 groups
    private static func holders(lease: String) -> String {
        """
        SELECT \(microseconds("clock_timestamp()")), l.nonce IS NOT NULL AND l.expires > clock_timestamp(),
            l.term, l.holder, l.incarnation, l.meta::text, l.ttl_ms, l.seq,
            \(microseconds(from: "clock_timestamp()", until: "l.expires"))
        FROM unnest($1::text[]) WITH ORDINALITY AS i(grp, n) LEFT JOIN \(lease) l ON l.grp = i.grp ORDER BY i.n
        """
    }

    // $1 groups
    private static func released(lease: String) -> String {
        """
        SELECT i.n, l.term FROM unnest($1::text[]) WITH ORDINALITY AS i(grp, n)
        JOIN \(lease) l ON l.grp = i.grp AND l.nonce IS NULL
        """
    }
}
#endif
