// SPDX-License-Identifier: MIT
#if Redis
internal import ElectionStores
public import LeaderElection
public import Logging
internal import Synchronization

/// Elections in Redis or Valkey: one server, one behind sentinels, a cluster, or a majority of independent servers.
///
/// Each group is a hash that never expires: it keeps the last term, and while somebody leads, who does and until when
/// by the server's clock. Every change is one script call for up to 256 groups, conditional on nonce and term, and is
/// published, so that a release reaches waiting candidates at once.
///
/// Replication of Redis is asynchronous: a fail-over may forget the last grants. The provider then grants nothing new until
/// the leases of before are over, and terms still grow, because they are never smaller than the server's clock; see
/// the article <doc:WhatRedisPromises>.
public final class RedisElectionProvider: PushingProvider, NoteKeepingProvider, TransferringProvider {
    /// Asynchronous fail-over, timed by the server, which tells of releases.
    public let guarantees = ProviderGuarantees(
        exclusion: .asynchronousFailover,
        expiry: .serverTimed,
        termSource: "hash: max(last + 1, milliseconds)",
        pushesRelease: true,
        pushesCrash: false,
        minimumLeaseDuration: .seconds(1),
        maximumBatch: RedisServers.maximumBatch
    )

    let election: any RedisElection
    let shared: RedisLeaseStore.Shared

    /// Names the servers; nothing is connected before the first call.
    ///
    /// - Parameters:
    ///   - settings: where the servers are, and how to get in.
    ///   - options: how the election uses them.
    ///   - logger: told about servers that were replaced, and about settings of theirs that weaken the guarantees.
    /// - Throws: ``/LeaderElection/ElectionError/Code/invalidConfiguration`` for options or settings that are not possible.
    public convenience init(
        _ settings: RedisSettings,
        options: RedisProviderOptions = RedisProviderOptions(),
        logger: Logger? = nil
    ) throws {
        try options.validate()
        let shared = RedisLeaseStore.Shared(options: options, notices: RedisNotices(logger: logger))
        switch settings.arrangement {
        case .quorum(let addresses):
            let topologies = try RedisTopologies.makeQuorum(settings)
            let names = addresses.map(\.description)
            self.init(try RedisQuorum(topologies: topologies, names: names, shared: shared), shared: shared)
        case .single, .sentinel, .cluster:
            let servers = RedisServers(
                topology: try RedisTopologies.make(settings),
                keys: Self.keys(settings, options),
                shared: shared
            )
            self.init(servers, shared: shared)
        }
    }

    init(_ election: any RedisElection, shared: RedisLeaseStore.Shared) {
        self.election = election
        self.shared = shared
    }

    deinit { election.close() }

    /// One script call for up to 256 groups.
    public func acquire(_ requests: [AcquireRequest]) async throws -> [AcquireAnswer] {
        guard !requests.isEmpty else { return [] }
        return try await election.acquire(requests, until: deadline(requests.lazy.map(\.timeout).min()))
    }

    /// One script call for up to 256 groups.
    public func renew(_ requests: [RenewRequest]) async throws -> [RenewAnswer] {
        guard !requests.isEmpty else { return [] }
        return try await election.renew(requests, until: deadline(requests.lazy.map(\.timeout).min()))
    }

    /// One script call for up to 256 groups; the hashes stay, with their terms.
    ///
    /// Of many who wait for a single lease a few are told first, and the others 5 ms later if none of these has taken it: for so
    /// long the call lasts then.
    public func release(_ requests: [ReleaseRequest]) async throws -> [ReleaseAnswer] {
        guard !requests.isEmpty else { return [] }
        return try await election.release(requests, until: deadline(requests.lazy.map(\.timeout).min()))
    }

    /// One script call for up to 256 groups, which changes nothing.
    public func holders(of groups: [ElectionGroup]) async throws -> [HolderAnswer] {
        guard !groups.isEmpty else { return [] }
        return try await election.holders(of: groups, until: deadline(nil))
    }

    /// One script call for up to 256 groups.
    ///
    /// A quorum of independent servers cannot do it in one step: there every answer is
    /// ``/LeaderElection/TransferAnswer/refused(reason:)``, and nothing is changed.
    public func transfer(_ requests: [TransferRequest]) async throws -> [TransferAnswer] {
        guard !requests.isEmpty else { return [] }
        return try await election.transfer(requests, until: deadline(requests.lazy.map(\.timeout).min()))
    }

    /// One script call for up to 256 notes.
    ///
    /// - Throws: ``/LeaderElection/ElectionError/Code/invalidConfiguration`` as `validate()` of a request does, before
    ///   anything is changed; ``/LeaderElection/ElectionError/Code/unsupported`` for a quorum of independent servers,
    ///   which keeps no notes.
    public func write(_ requests: [NoteRequest]) async throws -> [NoteAnswer] {
        for request in requests { try request.validate() }
        guard !requests.isEmpty else { return [] }
        return try await election.write(requests, until: deadline(requests.lazy.map(\.timeout).min()))
    }

    /// One script call for up to 256 notes.
    ///
    /// - Throws: ``/LeaderElection/ElectionError/Code/unsupported`` for a quorum of independent servers.
    public func remove(_ requests: [NoteRemoval]) async throws -> [NoteAnswer] {
        for request in requests { try request.validate() }
        guard !requests.isEmpty else { return [] }
        return try await election.remove(requests, until: deadline(requests.lazy.map(\.timeout).min()))
    }

    /// One script call for up to 256 groups, which changes nothing.
    ///
    /// - Throws: ``/LeaderElection/ElectionError/Code/unsupported`` for a quorum of independent servers.
    public func notes(of groups: [ElectionGroup]) async throws -> [NotesAnswer] {
        guard !groups.isEmpty else { return [] }
        return try await election.notes(of: groups, until: deadline(nil))
    }

    /// Subscribes to the channel of the prefix, and to some that only candidates of certain groups listen to, on a connection
    /// of its own.
    public func hints(_ receive: @escaping @Sendable (ProviderHint) -> Void) -> any HintSubscription {
        election.hints(receive)
    }

    /// How many script calls were sent so far.
    package var roundTrips: Int { shared.roundTrips.load(ordering: .relaxed) }

    /// A reading has no time-out of its own: it gets that of the call before.
    private func deadline(_ timeout: Duration?) -> ElectionInstant {
        .now
            + shared.attemptTimeout.withLock { last in
                if let timeout { last = timeout }
                return last
            }
    }

    private static func keys(_ settings: RedisSettings, _ options: RedisProviderOptions) -> [LeaseKeys] {
        guard case .cluster = settings.arrangement else { return [LeaseKeys(prefix: options.prefix)] }
        return switch options.clusterLayout {
        case .oneSlot: [LeaseKeys(tagging: options.prefix)]
        case .spread(let count): (0..<count).map { LeaseKeys(prefix: options.prefix, part: $0) }
        }
    }
}
#endif
