// SPDX-License-Identifier: MIT
#if Redis
internal import LeaderElection
internal import NIOCore

/// A cluster: keys live where their slots do.
final class ClusterTopology: RedisTopology {
    private let map: ClusterMap
    private let pushLogin: RedisConnector.Login

    init(_ map: ClusterMap, pushLogin: RedisConnector.Login) {
        self.map = map
        self.pushLogin = pushLogin
    }

    deinit { close() }

    func node(forKey key: String) async throws -> any RedisNode { ClusterNode(map: map, slot: slot(ofKey: key)) }

    func slot(ofKey key: String) -> Int { HashSlot.of(key) }

    func nodes() async throws -> [any RedisNode] {
        try await map.loop.wait(until: .now + .seconds(5)) { [map] in map.assumeIsolated { $0.primaries() } }
    }

    /// From version 7 on a message stays on the node that owns the channel's slot instead of going to all.
    func publishCommand(for server: RedisServerInfo) -> String {
        let major = server.version?.split(separator: ".").first.flatMap { Int($0) }
        return major.map { $0 >= 7 } == true ? "SPUBLISH" : "PUBLISH"
    }

    func subscribe(
        channel: String,
        patience: @escaping RedisPushLink.Patience,
        _ receive: @escaping @Sendable (RedisPush) -> Void
    ) -> any RedisSubscription {
        let slot = slot(ofKey: channel)
        return RedisPushLink.start(
            name: "cluster",
            channel,
            // Both, because a publisher may not know which the server can do.
            commands: ["SSUBSCRIBE", "SUBSCRIBE"],
            loop: map.loop,
            patience: patience,
            dial: { [map, pushLogin] in map.assumeIsolated { $0.dial(ownerOf: slot, pushLogin) } },
            mayStay: { [map] in
                map.assumeIsolated { $0.knownOwner(of: slot)?.link.assumeIsolated { $0.isFailing } } != true
            },
            receive
        )
    }

    func close() { map.loop.execute { [map] in map.assumeIsolated { $0.close() } } }
}
#endif
