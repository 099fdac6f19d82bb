// SPDX-License-Identifier: MIT
#if Redis
internal import LeaderElection

/// How an election uses its Redis servers, beyond how to reach them.
public struct RedisProviderOptions: Hashable, Sendable {
    /// Where the keys of a cluster lie; other arrangements have no slots.
    public enum ClusterLayout: Hashable, Sendable {
        /// All keys of a prefix in one slot, so that one call serves 256 groups.
        case oneSlot
        /// Spread over so many slots, 2 to 1024, at one call and one subscription for each of them.
        ///
        /// All processes must use the same number; changing it starts a new election for most groups.
        case spread(over: Int)
    }

    /// What begins the name of every key, 1 to 100 bytes; elections with different prefixes know nothing of each other.
    public var prefix: String
    /// Where the keys of a cluster lie.
    public var clusterLayout: ClusterLayout
    /// How many replicas must have received a grant or a renewal before it counts.
    ///
    /// With 0 a fail-over may forget the last grants; waiting narrows that gap and does not close it.
    public var waitForReplicas: Int
    /// Whether a server that was restarted, replaced or emptied grants nothing new until the leases that it may have
    /// forgotten are over.
    public var isQuarantineOn: Bool

    /// The defaults: prefix `leader-election`, one slot, no waiting for replicas, quarantine on.
    public init(
        prefix: String = "leader-election",
        clusterLayout: ClusterLayout = .oneSlot,
        waitForReplicas: Int = 0,
        isQuarantineOn: Bool = true
    ) {
        self.prefix = prefix
        self.clusterLayout = clusterLayout
        self.waitForReplicas = waitForReplicas
        self.isQuarantineOn = isQuarantineOn
    }

    func validate() throws {
        try ElectionError.checkText(prefix, what: "key prefix", code: .invalidConfiguration, bytes: 1...100)
        guard (0...16).contains(waitForReplicas) else {
            throw ElectionError(
                .invalidConfiguration,
                "waitForReplicas is \(waitForReplicas); use 0 to 16, and no more than there are replicas"
            )
        }
        if case .spread(let count) = clusterLayout, !(2...1024).contains(count) {
            throw ElectionError(.invalidConfiguration, "the cluster layout has \(count) parts; use 2 to 1024")
        }
    }
}
#endif
