// SPDX-License-Identifier: MIT
#if Consul
public import LeaderElection
public import Logging

/// Elections among any number of machines, over Consul's key-value store.
///
/// Each group is a key, `prefix/group/.lock`, and the index of the write that took it is the term. Leases of 10 s and more
/// are held by a session of Consul's, which one request renews for any number of groups; shorter ones are kept by writes
/// that the other candidates watch. See <doc:SessionsAndShortLeases>.
public final class ConsulElectionProvider: ElectionProvider, PushingProvider {
    let store: ConsulStore

    /// A consensus of servers, which tell of releases.
    public let guarantees: ProviderGuarantees

    /// Names the agent by a URL; nothing is connected yet.
    ///
    /// - Parameters:
    ///   - url: `consul://host:8500/prefix`, `consul+https://host:8501/prefix` or `consul+unix:///path/of/socket`. Options
    ///     behind a `?`: `mode` (`auto`, `session`, `cas`), `lockDelay` (as long as the lease, at most 60 s, unless
    ///     given), `token`, `tokenEnv` (a variable of the environment that holds it), `tokenFile`, `dc`, `ns`,
    ///     `partition`, `prefix`, and with TLS `cacert`, `cert`, `key`, `sni`, `tls` (`verify-full`, `verify-ca`,
    ///     `none`). What is not given is taken from `CONSUL_HTTP_TOKEN` and the other variables of Consul's programs.
    ///   - token: of Consul's access control; instead of one in the URL or in the environment.
    ///   - logger: told what weakens the guarantees.
    /// - Throws: ``/LeaderElection/ElectionError/Code/invalidConfiguration``; the message holds no secret.
    public convenience init(_ url: String, token: String? = nil, logger: Logger? = nil) throws {
        self.init(try ConsulURL.settings(url, token: token, logger: logger))
    }

    init(_ settings: ConsulSettings) {
        guarantees = ProviderGuarantees(
            exclusion: .consensus,
            expiry: settings.mode == .cas ? .observerTimed : .serverTimed,
            termSource: "ModifyIndex of the write that took the key",
            pushesRelease: true,
            pushesCrash: false,
            minimumLeaseDuration: settings.minimumLease,
            maximumBatch: 512
        )
        store = ConsulStore(settings)
    }

    deinit { store.close() }

    /// Refuses leases that no session can have, where a session was asked for.
    public func validate(_ group: ElectionGroup, leaseDuration: Duration) throws {
        let settings = store.settings
        guard leaseDuration >= settings.minimumLease else {
            throw ElectionError(
                .invalidConfiguration,
                settings.mode == .session
                    ? "leaseDuration \(leaseDuration.text()) is shorter than a session of Consul's can be; use at least "
                        + "\(settings.minimumLease.text()), or mode=cas for leases of 1 s and more"
                    : "leaseDuration \(leaseDuration.text()) is shorter than this store allows; use at least "
                        + "\(settings.minimumLease.text())",
                group: group.name
            )
        }
        guard leaseDuration <= .seconds(86_400) else {
            throw ElectionError(
                .invalidConfiguration,
                "leaseDuration \(leaseDuration.text()) is longer than a session of Consul's can be; use at most 86400 s",
                group: group.name
            )
        }
    }

    /// Takes leases that are free, 32 to 64 groups a transaction.
    public func acquire(_ requests: [AcquireRequest]) async throws -> [AcquireAnswer] {
        guard !requests.isEmpty else { return [] }
        return await store.acquire(requests, until: store.deadline(requests.lazy.map(\.timeout).min()))
    }

    /// One request for all groups that a session holds; 64 groups a transaction for the others.
    public func renew(_ requests: [RenewRequest]) async throws -> [RenewAnswer] {
        guard !requests.isEmpty else { return [] }
        return await store.renew(requests, until: store.deadline(requests.lazy.map(\.timeout).min()))
    }

    /// Unlocks the keys, which stay, with the last term in them.
    public func release(_ requests: [ReleaseRequest]) async throws -> [ReleaseAnswer] {
        guard !requests.isEmpty else { return [] }
        return await store.release(requests, until: store.deadline(requests.lazy.map(\.timeout).min()))
    }

    /// Reads from the servers' leader, 64 groups a transaction.
    public func holders(of groups: [ElectionGroup]) async throws -> [HolderAnswer] {
        guard !groups.isEmpty else { return [] }
        return await store.holders(of: groups, until: store.deadline(nil))
    }

    /// A fence for what you write to Consul's key-value store while you lead.
    ///
    /// - Returns: nil if this provider does not lead the group in this term (any more), or if no session holds it: the
    ///   entry of a short lease changes with each renewal, so that nothing in Consul marks its term. Compare terms where
    ///   the data is.
    public func fence(of group: ElectionGroup, term: Int64) -> ConsulFence? {
        guard let lease = store.held[group], lease.term == term, let session = lease.session else { return nil }
        return ConsulFence(key: store.names.key(group), session: session, index: Int64(clamping: lease.index))
    }

    /// One blocking query for all groups of the prefix.
    public func hints(_ receive: @escaping @Sendable (ProviderHint) -> Void) -> any HintSubscription {
        store.watch.add(receive)
    }
}

extension ElectionProvider where Self == ConsulElectionProvider {
    /// Elections among any number of machines, over the Consul agent at `consul://host:8500/prefix`.
    ///
    /// - Throws: ``/LeaderElection/ElectionError/Code/invalidConfiguration`` for a URL that cannot be used.
    public static func consul(
        _ url: String,
        token: String? = nil,
        logger: Logger? = nil
    ) throws -> ConsulElectionProvider {
        try ConsulElectionProvider(url, token: token, logger: logger)
    }
}
#endif
