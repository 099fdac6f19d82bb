// SPDX-License-Identifier: MIT
#if Redis
internal import LeaderElection

/// Where keys live.
protocol RedisTopology: Sendable {
    /// The node to ask about a key. In a cluster it follows its slot to wherever that moves.
    func node(forKey key: String) async throws -> any RedisNode

    /// 0 unless keys are spread over a cluster: keys of one slot can share a call.
    func slot(ofKey key: String) -> Int

    /// All nodes that take writes.
    func nodes() async throws -> [any RedisNode]

    /// Which command publishes on a channel that ``subscribe(channel:patience:_:)`` listens to: `PUBLISH` or `SPUBLISH`.
    func publishCommand(for server: RedisServerInfo) -> String

    /// Listens on a connection of its own, which is made again with back-off until the subscription is let go.
    ///
    /// In a cluster the channel is one of the node that its hash tag belongs to.
    /// - Parameter patience: how long a server may be silent before it is asked whether it is there, and then again
    ///   before it counts as gone.
    func subscribe(
        channel: String,
        patience: @escaping RedisPushLink.Patience,
        _ receive: @escaping @Sendable (RedisPush) -> Void
    ) -> any RedisSubscription

    /// Closes every connection; calls fail from then on.
    func close()
}

extension RedisTopology {
    func subscribe(
        channel: String,
        _ receive: @escaping @Sendable (RedisPush) -> Void
    ) -> any RedisSubscription {
        subscribe(channel: channel, patience: { .seconds(2) }, receive)
    }
}

/// What a subscription has to tell, on the event loop: return quickly.
enum RedisPush: Sendable, Hashable {
    case message([UInt8])
    /// Listening, for the first time or again: anything may have happened before.
    case subscribed
    /// Not listening any more, or still not; once per change of cause.
    case interrupted(ElectionError)
}

/// Listens while it is alive.
protocol RedisSubscription: Sendable, AnyObject {
    /// Listens to more channels of the same node as well, on the same connection; where that is not permitted, to the first only.
    func join(_ channels: [String])
    func cancel()
}
#endif
