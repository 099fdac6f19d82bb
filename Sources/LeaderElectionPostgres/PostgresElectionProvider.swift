// SPDX-License-Identifier: MIT
#if Postgres
internal import ElectionStores
public import LeaderElection
public import Logging

/// Elections among any number of machines, in a table of a PostgreSQL database.
///
/// Each group is a row that is never deleted: it remembers the last term. The lease is timed by the server's clock. One
/// connection serves any number of groups, and a second one listens for releases, so that a waiting candidate takes
/// over within milliseconds. A third one is there while notes cannot share that one, and in a crowd for the leader and the
/// one that stands behind it. Each is opened on first use, and again after a failure.
public final class PostgresElectionProvider: PushingProvider, NoteKeepingProvider, TransferringProvider {
    let store: PostgresStore

    /// One durable authority, timed by its own clock, that tells of releases.
    public let guarantees: ProviderGuarantees

    /// Names the database; nothing is connected yet.
    ///
    /// - Parameters:
    ///   - uri: where the database is, in libpq's words: `postgres://user:password@host:port/database?sslmode=…`. Several
    ///     hosts, passfiles, service files and TLS work as everywhere with libpq.
    ///   - schema: the schema of the tables; nil for the first one of the user's search path.
    ///   - table: the table of leases. Beside it there are one that ends in `_authority` and, for notes, one in `_note`.
    ///   - channel: on which notifications are sent, the same for all candidates; nil for one named like the table.
    ///   - createTable: whether to make the tables if they are missing. If not, or if the user may not, the error holds
    ///     the statements that make them.
    ///   - failsOverAsynchronously: say so if a standby that may lack the last transactions can become the primary.
    ///   - quarantine: whether to grant nothing for the length of a lease after the database was replaced or restored.
    ///   - logger: told what weakens the guarantees.
    /// - Throws: ``/LeaderElection/ElectionError/Code/invalidConfiguration`` for a URI or a name that cannot be used.
    ///   The message never holds a part of the URI.
    public init(
        _ uri: String,
        schema: String? = nil,
        table: String = "leader_election_lease",
        channel: String? = nil,
        createTable: Bool = true,
        failsOverAsynchronously: Bool = false,
        quarantine: Bool = true,
        logger: Logger? = nil
    ) throws {
        guarantees = ProviderGuarantees(
            exclusion: failsOverAsynchronously ? .asynchronousFailover : .durableAuthority,
            expiry: .serverTimed,
            termSource: "row: max(last + 1, milliseconds)",
            pushesRelease: true,
            pushesCrash: false,
            minimumLeaseDuration: .seconds(1),
            maximumBatch: 256
        )
        store = try PostgresStore(
            PostgresSettings(
                uri: uri,
                schema: schema,
                table: table,
                channel: channel,
                createTable: createTable,
                quarantine: quarantine,
                logger: logger
            )
        )
    }

    deinit {
        SerialThread.engine.execute { [store] in store.assumeIsolated { $0.shutDown() } }
    }

    /// One statement for all requests; it writes nothing, and waits for nobody, where another holds the lease.
    ///
    /// A single lease that was just given back is asked for by a shorter statement first.
    public func acquire(_ requests: [AcquireRequest]) async throws -> [AcquireAnswer] {
        try await store.acquire(requests)
    }

    /// One statement for all leases.
    public func renew(_ requests: [RenewRequest]) async throws -> [RenewAnswer] {
        try await store.renew(requests)
    }

    /// One statement for all leases; the rows stay, with their terms.
    ///
    /// When a single lease is given back and many wait, one of them is told first, or about three. If no grant is heard of
    /// within five milliseconds, during which the call lasts, a second statement tells all.
    public func release(_ requests: [ReleaseRequest]) async throws -> [ReleaseAnswer] {
        try await store.release(requests)
    }

    /// One statement for all groups.
    public func holders(of groups: [ElectionGroup]) async throws -> [HolderAnswer] {
        try await store.holders(of: groups)
    }

    /// One statement for all leases, which waits for nobody.
    ///
    /// A lease whose fence a transaction is passing at that moment is not moved: see ``PostgresFence``.
    public func transfer(_ requests: [TransferRequest]) async throws -> [TransferAnswer] {
        try await store.transfer(requests)
    }

    /// One statement for all notes, on the connection that listens, or on one of their own.
    ///
    /// The commit of notes that are no news waits for no disk and no standby.
    ///
    /// - Throws: ``/LeaderElection/ElectionError`` as `validate()` of a request does, before anything is changed, or when the
    ///   table of notes cannot be used; leases are not concerned.
    public func write(_ requests: [NoteRequest]) async throws -> [NoteAnswer] {
        try await store.notes.write(requests)
    }

    /// One statement for all notes.
    public func remove(_ requests: [NoteRemoval]) async throws -> [NoteAnswer] {
        try await store.notes.remove(requests)
    }

    /// One statement for all groups.
    public func notes(of groups: [ElectionGroup]) async throws -> [NotesAnswer] {
        try await store.notes.notes(of: groups)
    }

    /// Listens on a connection of its own.
    public func hints(_ receive: @escaping @Sendable (ProviderHint) -> Void) -> any HintSubscription {
        let subscription = store.subscribers.add(receive)
        // Before anything that is asked from now on: notes are to find its connection.
        SerialThread.engine.executeNext { [store] in store.assumeIsolated { $0.startHints() } }
        return subscription
    }

    /// How many statements were sent so far.
    package var statementCount: Int {
        get async { await store.statementCount }
    }

    /// How often a connection for statements was asked for.
    package var connectionAttempts: Int {
        get async { await store.connectionAttempts }
    }
}

extension ElectionProvider where Self == PostgresElectionProvider {
    /// Elections among any number of machines, in the PostgreSQL database at this libpq URI.
    ///
    /// - Throws: ``/LeaderElection/ElectionError/Code/invalidConfiguration`` for a URI or a name that cannot be used.
    public static func postgres(
        _ uri: String,
        schema: String? = nil,
        table: String = "leader_election_lease",
        channel: String? = nil,
        createTable: Bool = true,
        failsOverAsynchronously: Bool = false,
        quarantine: Bool = true,
        logger: Logger? = nil
    ) throws -> PostgresElectionProvider {
        try PostgresElectionProvider(
            uri,
            schema: schema,
            table: table,
            channel: channel,
            createTable: createTable,
            failsOverAsynchronously: failsOverAsynchronously,
            quarantine: quarantine,
            logger: logger
        )
    }
}
#endif
