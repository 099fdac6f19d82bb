// SPDX-License-Identifier: MIT

/// What a store promises to an election; see the article on guarantees for what follows from each.
public struct ProviderGuarantees: Hashable, Sendable {
    /// How far exclusion reaches.
    public enum ExclusionClass: String, Hashable, Sendable {
        /// Survives the loss of a minority of servers.
        case consensus
        /// One durable authority: without it nobody leads, and its restart loses nothing.
        case durableAuthority
        /// Holds except around a fail-over that loses writes; fencing by term covers that gap.
        case asynchronousFailover
        /// One process only.
        case processLocal
    }

    /// Who ends the lease of a holder that went silent.
    public enum Expiry: String, Hashable, Sendable {
        /// The store's own clock.
        case serverTimed
        /// Any candidate that watched the record unchanged for the whole lease on its own clock.
        case observerTimed
        /// The kernel, when the holder's process ends; a *stopped* process keeps its lease.
        case kernelOwned
    }

    /// How far exclusion reaches.
    public var exclusion: ExclusionClass
    /// Who ends the lease of a holder that went silent.
    public var expiry: Expiry
    /// Where terms come from, in a few words for people.
    public var termSource: String
    /// Whether a release reaches waiting candidates without polling.
    public var pushesRelease: Bool
    /// Whether the death of the holder's process reaches waiting candidates before its lease is up.
    public var pushesCrash: Bool
    /// The shortest lease that the store can keep.
    public var minimumLeaseDuration: Duration
    /// How many groups share one call; the engine splits larger batches.
    public var maximumBatch: Int
    /// Whether a hint can come shortly *before* the lease is really free, so that asking again soon is worth it.
    public var hintsPrecedeRelease: Bool
    /// Whether a refused request leaves its nonce in a queue, so that a candidate that waits no more must release it.
    public var queuesCandidates: Bool

    /// The guarantees of one store.
    public init(
        exclusion: ExclusionClass,
        expiry: Expiry,
        termSource: String,
        pushesRelease: Bool,
        pushesCrash: Bool,
        minimumLeaseDuration: Duration = .seconds(1),
        maximumBatch: Int = 256,
        hintsPrecedeRelease: Bool = false,
        queuesCandidates: Bool = false
    ) {
        self.exclusion = exclusion
        self.expiry = expiry
        self.termSource = termSource
        self.pushesRelease = pushesRelease
        self.pushesCrash = pushesCrash
        self.minimumLeaseDuration = minimumLeaseDuration
        self.maximumBatch = maximumBatch
        self.hintsPrecedeRelease = hintsPrecedeRelease
        self.queuesCandidates = queuesCandidates
    }
}
