// SPDX-License-Identifier: MIT
#if SQLite
/// Every statement that is run more than once.
///
/// Ownership is always tested by the statement that writes, never by an earlier read.
enum LeaseQuery: Int, CaseIterable {
    case begin, beginImmediate, commit, rollback
    case read, acquire, renew, release, endProcess
    case lastChange, changedSince, heldByProcess, quarantine
    case transfer
    case hasNotes, readNotes, writeNote, removeNote, forgetNotes, nextNews, lastNews, newsSince

    var sql: String {
        switch self {
        case .begin: "BEGIN"
        case .beginImmediate: "BEGIN IMMEDIATE"
        case .commit: "COMMIT"
        case .rollback: "ROLLBACK"
        case .read: "SELECT \(LeaseRow.columns) FROM leader_election_lease WHERE grp = ?1"
        case .acquire: Self.acquireSQL
        case .renew:
            """
            UPDATE leader_election_lease SET seq = seq + 1, ttl_ms = ?6, deadline_ns = ?7
            WHERE grp = ?1 AND nonce = ?2 AND term = ?3 AND clock_domain = ?4 AND deadline_ns > ?5
            """
        case .release:
            """
            UPDATE leader_election_lease SET changed = ?4, \(Self.freed)
            WHERE grp = ?1 AND nonce = ?2 AND (?3 IS NULL OR term = ?3)
            """
        case .endProcess:
            "UPDATE leader_election_lease SET changed = ?2, \(Self.freed) WHERE process_lock = ?1"
        case .lastChange: "SELECT coalesce(max(changed), 0) FROM leader_election_lease"
        case .changedSince: "SELECT grp, changed FROM leader_election_lease WHERE changed > ?1"
        case .heldByProcess: "SELECT grp FROM leader_election_lease WHERE process_lock = ?1"
        case .quarantine: "SELECT clock_domain, grants_after_ns FROM leader_election_store"
        case .transfer:
            // Nobody's process: the old holder's may end now, and the heir's is known once it asks.
            """
            UPDATE leader_election_lease SET
                term = max(term + 1, ?4), nonce = ?5, holder = ?6, incarnation = ?7, meta = ?8, ttl_ms = ?9, seq = 0,
                deadline_ns = ?10, process_lock = NULL, changed = ?11
            WHERE grp = ?1 AND nonce = ?2 AND term = ?3 AND clock_domain = ?12 AND deadline_ns > ?13
            RETURNING term
            """
        case .hasNotes: "SELECT 1 FROM sqlite_schema WHERE name = 'leader_election_note'"
        case .readNotes:
            "SELECT key, text FROM leader_election_note WHERE grp = ?1 AND \(Self.noteStands) ORDER BY key"
        case .writeNote:
            """
            INSERT INTO leader_election_note AS note
                (grp, key, clock_domain, deadline_ns, deadline_wall_ms, text, news)
            VALUES (?1, ?2, ?3, ?4, ?5, ?6, ?7)
            ON CONFLICT (grp, key) DO UPDATE SET
                clock_domain = excluded.clock_domain, deadline_ns = excluded.deadline_ns,
                deadline_wall_ms = excluded.deadline_wall_ms, text = excluded.text, news = max(note.news, excluded.news)
            """
        case .removeNote: "DELETE FROM leader_election_note WHERE grp = ?1 AND key = ?2"
        case .forgetNotes: "DELETE FROM leader_election_note WHERE grp = ?1 AND NOT \(Self.noteStands)"
        case .nextNews: "UPDATE leader_election_news SET last = last + 1 RETURNING last"
        case .lastNews: "SELECT last FROM leader_election_news"
        case .newsSince:
            // Twice, since the index holds nothing else.
            "SELECT grp, news FROM leader_election_note WHERE news > ?1 AND news > 0 ORDER BY news"
        }
    }

    /// The row stays for ever: it remembers the term.
    private static let freed = """
        nonce = NULL, holder = NULL, incarnation = NULL, meta = NULL, process_lock = NULL
        """

    /// Only a lease that still runs is the same lease when it is asked for again; after that it is a new term.
    private static let isOurs = "lease.nonce = ?2 AND lease.clock_domain = ?9 AND lease.deadline_ns > ?7"

    /// 1 group · 2 nonce · 3 holder · 4 incarnation · 5 metadata · 6 ttl · 7 now · 8 deadline · 9 clock domain ·
    /// 10 process lock · 11 wall clock in ms · 12 change · 13 previous nonce · 14, 15 observed term and sequence.
    private static let acquireSQL = """
        INSERT INTO leader_election_lease AS lease
            (grp, term, nonce, holder, incarnation, meta, ttl_ms, seq, clock_domain, deadline_ns, process_lock, changed)
        VALUES (?1, max(1, ?11), ?2, ?3, ?4, ?5, ?6, 0, ?9, ?8, ?10, ?12)
        ON CONFLICT (grp) DO UPDATE SET
            term = iif(\(isOurs), lease.term, max(lease.term + 1, excluded.term)),
            seq = iif(\(isOurs), lease.seq + 1, 0),
            changed = iif(\(isOurs), lease.changed, excluded.changed),
            nonce = excluded.nonce, holder = excluded.holder, incarnation = excluded.incarnation,
            meta = excluded.meta, ttl_ms = excluded.ttl_ms, clock_domain = excluded.clock_domain,
            deadline_ns = excluded.deadline_ns, process_lock = excluded.process_lock
        WHERE lease.nonce IS NULL OR lease.nonce = ?2 OR lease.nonce = ?13
            OR (lease.clock_domain = ?9 AND lease.deadline_ns <= ?7)
            OR (lease.term = ?14 AND lease.seq = ?15)
        RETURNING term
        """

    /// 2 clock domain · 3 now · 4 wall clock in ms.
    ///
    /// Only people and the order of candidates depend on a note, so that the wall clock may judge it where the boot
    /// clock of its writer cannot be read: after a reboot, or from within another time namespace.
    private static let noteStands = "iif(clock_domain = ?2, deadline_ns > ?3, deadline_wall_ms > ?4)"

    /// The tables of notes, made when the first one is written: programs that know nothing of them go on as ever.
    ///
    /// `news` numbers the transactions that wrote something others should hear of at once; rows come and go, so that
    /// the last number is kept apart.
    static let noteSchema = """
        CREATE TABLE leader_election_note (
            grp TEXT NOT NULL,
            key TEXT NOT NULL,
            clock_domain TEXT NOT NULL,
            deadline_ns INTEGER NOT NULL,
            deadline_wall_ms INTEGER NOT NULL,
            text TEXT NOT NULL,
            news INTEGER NOT NULL,
            PRIMARY KEY (grp, key)
        ) STRICT, WITHOUT ROWID;
        CREATE INDEX leader_election_note_news ON leader_election_note (news) WHERE news > 0;
        CREATE TABLE leader_election_news (last INTEGER NOT NULL) STRICT;
        INSERT INTO leader_election_news VALUES (0);
        """

    /// The tables, version 1.
    ///
    /// `changed` numbers the transactions that granted or freed something; renewals leave it alone, so that the
    /// index answers "what happened since?" without reading a row that was merely renewed.
    static let schema = """
        CREATE TABLE leader_election_lease (
            grp TEXT NOT NULL PRIMARY KEY,
            term INTEGER NOT NULL,
            nonce BLOB CHECK (nonce IS NULL OR length(nonce) = 16),
            holder TEXT,
            incarnation BLOB,
            meta TEXT,
            ttl_ms INTEGER NOT NULL,
            seq INTEGER NOT NULL,
            clock_domain TEXT NOT NULL,
            deadline_ns INTEGER NOT NULL,
            process_lock TEXT,
            changed INTEGER NOT NULL
        ) STRICT, WITHOUT ROWID;
        CREATE INDEX leader_election_lease_changed ON leader_election_lease (changed);
        CREATE TABLE leader_election_store (
            version INTEGER NOT NULL,
            file_identity TEXT NOT NULL,
            clock_domain TEXT NOT NULL,
            grants_after_ns INTEGER NOT NULL
        ) STRICT;
        """
    static let schemaVersion: Int64 = 1
}
#endif
