// SPDX-License-Identifier: MIT
#if Postgres

/// What the database has to hold.
struct PostgresSchema: Sendable {
    let settings: PostgresSettings

    private var lease: String { settings.qualified(settings.table) }
    private var authority: String { settings.qualified(settings.authorityTable) }
    private var note: String { settings.qualified(settings.noteTable) }

    /// Makes what is missing; several clients may do so at once.
    func script(createSchema: Bool) -> String {
        // Two that create the same table at the same time would disturb each other, "IF NOT EXISTS" or not.
        let lock = "SELECT pg_advisory_xact_lock(hashtextextended(\(SQLName.literal(authority)), 7306))"
        let schema = createSchema ? settings.schema.map { ["CREATE SCHEMA IF NOT EXISTS \($0.quoted)"] } ?? [] : []
        return (["BEGIN", lock] + schema + definitions + ["COMMIT"]).joined(separator: ";\n")
    }

    /// The statements for somebody who may run them.
    var definition: String { definitions.map { $0 + ";" }.joined(separator: "\n") }

    /// The one for the notes alone, for a database that was set up before there were any.
    var noteDefinition: String { noteTable + ";" }

    private var definitions: [String] {
        [
            """
            CREATE TABLE IF NOT EXISTS \(lease) (
                grp text COLLATE "C" PRIMARY KEY,
                term bigint NOT NULL,
                nonce uuid,
                holder text,
                incarnation uuid,
                meta jsonb,
                ttl_ms bigint NOT NULL,
                seq bigint NOT NULL,
                expires timestamptz NOT NULL,
                UNIQUE (grp, term)
            ) WITH (fillfactor = 50, autovacuum_vacuum_scale_factor = 0.05, autovacuum_vacuum_cost_delay = 0)
            """,
            """
            CREATE TABLE IF NOT EXISTS \(authority) (
                id smallint PRIMARY KEY CHECK (id = 1),
                system_id text,
                timeline text,
                storage text,
                longest_lease_ms bigint NOT NULL,
                no_grants_before timestamptz NOT NULL
            )
            """,
            noteTable,
        ]
    }

    // Only its key is indexed, and half of each page stays free: a note that is written again stays in its page.
    private var noteTable: String {
        """
        CREATE TABLE IF NOT EXISTS \(note) (
            grp text COLLATE "C",
            key text COLLATE "C",
            note text NOT NULL,
            expires timestamptz NOT NULL,
            PRIMARY KEY (grp, key)
        ) WITH (fillfactor = 50, autovacuum_vacuum_scale_factor = 0.05, autovacuum_vacuum_cost_delay = 0)
        """
    }

    /// Whether the tables that elections need are there, the schema if one is named, and the table of notes.
    ///
    /// Elections do without the last one.
    var lookUp: String {
        let schema = settings.schema.map { "to_regnamespace(\(SQLName.literal($0.quoted))) IS NOT NULL" } ?? "true"
        return """
            SELECT to_regclass(\(SQLName.literal(lease))) IS NOT NULL
                AND to_regclass(\(SQLName.literal(authority))) IS NOT NULL, \(schema),
                to_regclass(\(SQLName.literal(note))) IS NOT NULL
            """
    }
}
#endif
