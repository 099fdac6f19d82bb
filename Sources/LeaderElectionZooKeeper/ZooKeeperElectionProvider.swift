// SPDX-License-Identifier: MIT
#if ZooKeeper
internal import ElectionStores
public import LeaderElection
public import Logging

/// Elections among any number of machines, over an ensemble of ZooKeeper servers.
///
/// Each group is a node below the root path, and its candidates are numbered ephemeral nodes in it: the one with the
/// lowest number leads, and each of the others is woken only when the one before it goes. One session serves any
/// number of groups. It is kept alive by one small write every sixth of its time-out, whatever the number of groups.
///
/// The lease of all groups is the session's time-out. What the engine is told is shorter, by a little more than the
/// servers' `tickTime` and a sixth of the time-out: only so much of it is certain after a server was lost.
public final class ZooKeeperElectionProvider: ElectionProvider, PushingProvider {
    let store: ZooKeeperStore

    /// A consensus of servers, which time the lease and tell of releases.
    public let guarantees: ProviderGuarantees

    /// Names the ensemble by a URL; nothing is connected yet.
    ///
    /// - Parameters:
    ///   - url: `zookeeper://host:port,host:port/root/path`. Before the hosts there may be `user:password@`. Options
    ///     behind a `?`: `credentials` (a variable of the environment that holds `user:password`), `sessionTimeout`,
    ///     `tickTime`, `naming` (`kazoo`, `latch`, `lock`), `createRoot` (`yes`, `no`); see ``ZooKeeperSettings``.
    ///   - logger: told what weakens the guarantees.
    /// - Throws: ``/LeaderElection/ElectionError/Code/invalidConfiguration``; the message holds no part of the URL.
    public convenience init(_ url: String, logger: Logger? = nil) throws {
        self.init(try ZooKeeperURL.settings(url, logger: logger))
    }

    /// Names the ensemble by its settings; nothing is connected yet.
    public init(_ settings: ZooKeeperSettings) {
        guarantees = ProviderGuarantees(
            exclusion: .consensus,
            expiry: .serverTimed,
            termSource: "czxid of the candidate's node",
            pushesRelease: true,
            pushesCrash: false,
            minimumLeaseDuration: max(.seconds(1), settings.tickTime * 3),
            maximumBatch: 1024,
            queuesCandidates: true
        )
        store = ZooKeeperStore(settings)
    }

    deinit {
        store.thread.execute { [store] in store.assumeIsolated { $0.shutDown() } }
    }

    /// Takes a place in each group's queue, or looks whether it is the first one now.
    public func acquire(_ requests: [AcquireRequest]) async throws -> [AcquireAnswer] {
        await store.acquire(requests)
    }

    /// One write for all leases.
    public func renew(_ requests: [RenewRequest]) async throws -> [RenewAnswer] {
        await store.renew(requests)
    }

    /// Gives up the places in the queues; the first one of those behind leads.
    public func release(_ requests: [ReleaseRequest]) async throws -> [ReleaseAnswer] {
        await store.release(requests)
    }

    /// Reads who is first in each queue.
    public func holders(of groups: [ElectionGroup]) async throws -> [HolderAnswer] {
        await store.holders(of: groups)
    }

    /// The node that exists exactly as long as no other candidate can lead: a fence for what you write to ZooKeeper.
    ///
    /// A pause can strike between asking whether you lead and writing. Write in one `multi` that begins with a check of
    /// this node, and the servers refuse what comes too late (`ZNONODE`):
    /// ```
    /// multi(check(path: node, version: -1), set(path: "/app/state", data: …))
    /// ```
    /// Where the version of what you write is checked as well, nothing of another leader's is overwritten either.
    ///
    /// - Returns: the node's path; nil if this provider does not lead the group in this term (any more).
    public func fencingNode(of group: ElectionGroup, term: Int64) async -> String? {
        await store.leadingNode(of: group, term: term)
    }

    /// Tells of watches that fired; only the candidate behind the one that went has one.
    public func hints(_ receive: @escaping @Sendable (ProviderHint) -> Void) -> any HintSubscription {
        store.subscribers.add(receive)
    }
}

extension ElectionProvider where Self == ZooKeeperElectionProvider {
    /// Elections among any number of machines, over the ZooKeeper ensemble at `zookeeper://host:port,host:port/root`.
    ///
    /// - Throws: ``/LeaderElection/ElectionError/Code/invalidConfiguration`` for a URL that cannot be used.
    public static func zookeeper(_ url: String, logger: Logger? = nil) throws -> ZooKeeperElectionProvider {
        try ZooKeeperElectionProvider(url, logger: logger)
    }

    /// Elections among any number of machines, over the ZooKeeper ensemble that the settings name.
    public static func zookeeper(_ settings: ZooKeeperSettings) -> ZooKeeperElectionProvider {
        ZooKeeperElectionProvider(settings)
    }
}
#endif
