// SPDX-License-Identifier: MIT
#if SQLite
internal import ElectionFiles
internal import ElectionStores
public import LeaderElection
public import Logging
internal import Synchronization

/// Elections among the processes of one machine, in a SQLite database.
///
/// Each group is a row of the table `leader_election_lease`, which is never deleted: it remembers the last term.
/// The lease is timed by the machine's boot clock, so wall clocks play no part. A release reaches waiting
/// candidates by a file event within a few milliseconds, and so does the death of the holder's process. Notes are rows
/// of a table of their own, made when the first one is written.
///
/// The database may hold other tables, but whatever else uses it must keep its transactions short. It must be on a
/// local file system, and no program may copy it, or open and close its files, within a process that takes part.
public final class SQLiteElectionProvider: ElectionProvider, PushingProvider {
    let store: SQLiteLeaseStore

    /// One durable authority, timed by the machine, that tells of releases and of the death of processes.
    public let guarantees = ProviderGuarantees(
        exclusion: .durableAuthority,
        expiry: .serverTimed,
        termSource: "row: max(last + 1, milliseconds)",
        pushesRelease: true,
        pushesCrash: true,
        minimumLeaseDuration: .seconds(1),
        maximumBatch: 4096,
        hintsPrecedeRelease: true
    )

    /// Names the database; it is opened on first use, and again after a failure.
    ///
    /// - Parameters:
    ///   - path: the database's file, in a directory that exists.
    ///   - createIfMissing: whether to make the file if there is none.
    ///   - detectProcessDeath: whether a lease ends as soon as the holder's process does. Otherwise others wait
    ///     until it has run out.
    ///   - allowNetworkFileSystem: accept a directory that several machines may share. Only processes of *one*
    ///     machine may then use the database.
    ///   - clock: where leases take their time from; all processes must share it.
    ///   - logger: told about file systems that weaken the guarantees, and about a database that was replaced.
    /// - Throws: ``/LeaderElection/ElectionError/Code/invalidConfiguration`` for a path that names no file.
    public convenience init(
        path: String,
        createIfMissing: Bool = true,
        detectProcessDeath: Bool = true,
        allowNetworkFileSystem: Bool = false,
        clock: any ElectionClock = .system,
        logger: Logger? = nil
    ) throws {
        try self.init(
            SQLiteLeaseStore.Settings(
                path: path,
                allowNetworkFileSystem: allowNetworkFileSystem,
                createIfMissing: createIfMissing,
                detectProcessDeath: detectProcessDeath,
                clock: clock,
                logger: logger
            )
        )
    }

    init(_ settings: SQLiteLeaseStore.Settings) throws {
        let path = settings.path
        guard !path.isEmpty, path != ":memory:", !path.hasPrefix("file:"), !path.hasSuffix("/"),
            !path.utf8.contains(0)
        else {
            throw ElectionError(
                .invalidConfiguration,
                "\"\(path)\" does not name a database file that processes can share; give a plain path such as "
                    + "/var/lib/app/election.db"
            )
        }
        store = SQLiteLeaseStore(settings)
    }

    deinit {
        store.thread.execute { [store] in store.assumeIsolated { $0.shutDown() } }
    }

    /// One write transaction for everything that looks free, and none at all if nothing does.
    public func acquire(_ requests: [AcquireRequest]) async throws -> [AcquireAnswer] {
        await store.acquire(requests, until: Self.deadline(requests.lazy.map(\.timeout).min()))
    }

    /// One write transaction for all leases.
    public func renew(_ requests: [RenewRequest]) async throws -> [RenewAnswer] {
        await store.renew(requests, until: Self.deadline(requests.lazy.map(\.timeout).min()))
    }

    /// One write transaction for all leases; the rows stay, with their terms.
    public func release(_ requests: [ReleaseRequest]) async throws -> [ReleaseAnswer] {
        await store.release(requests, until: Self.deadline(requests.lazy.map(\.timeout).min()))
    }

    /// One read transaction for all groups.
    public func holders(of groups: [ElectionGroup]) async throws -> [HolderAnswer] {
        await store.holders(of: groups, until: Self.deadline(.seconds(1)))
    }

    /// Watches the directory of the database.
    public func hints(_ receive: @escaping @Sendable (ProviderHint) -> Void) -> any HintSubscription {
        let subscription = store.subscribers.add(receive)
        store.thread.execute { [store] in
            store.assumeIsolated { $0.startHints() }
        }
        return subscription
    }

    /// How many write transactions were begun so far.
    package var writeTransactions: Int { store.writeTransactions.load(ordering: .relaxed) }

    static func deadline(_ timeout: Duration?) -> ElectionInstant { .now + (timeout ?? .seconds(1)) }
}

extension SQLiteElectionProvider: KernelHeldLeases {
    package func heldDescriptors(for group: ElectionGroup) -> [Int32] {
        guard store.settings.detectProcessDeath else { return [] }
        return store.processLock.withLock { $0?.descriptors() ?? [] }
    }
}

extension ElectionProvider where Self == SQLiteElectionProvider {
    /// Elections among the processes of one machine, in the SQLite database at `path`.
    ///
    /// - Throws: ``/LeaderElection/ElectionError/Code/invalidConfiguration`` for a path that names no file.
    public static func sqlite(
        path: String,
        createIfMissing: Bool = true,
        detectProcessDeath: Bool = true,
        allowNetworkFileSystem: Bool = false,
        logger: Logger? = nil
    ) throws -> SQLiteElectionProvider {
        try SQLiteElectionProvider(
            path: path,
            createIfMissing: createIfMissing,
            detectProcessDeath: detectProcessDeath,
            allowNetworkFileSystem: allowNetworkFileSystem,
            logger: logger
        )
    }
}
#endif
