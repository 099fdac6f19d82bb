// SPDX-License-Identifier: MIT
#if Redis
internal import LeaderElection
internal import NIOCore

/// One server, or whatever takes its place under its name.
final class SingleTopology: RedisTopology {
    private let link: RedisLink
    private let dialPush: RedisLink.Dial

    init(_ connector: RedisConnector, _ address: RedisSettings.Address, _ login: RedisConnector.Login) {
        link = RedisLink(name: "\(address)", loop: connector.loop, hurdle: { connector.hurdle(at: address) }) {
            connector.open(address, login)
        }
        var login = login
        login.asksForInfo = false
        dialPush = { [link, login] in link.assumeIsolated { $0.dialSecond { connector.open(address, login) } } }
    }

    func node(forKey key: String) async throws -> any RedisNode { link }

    func slot(ofKey key: String) -> Int { 0 }

    func nodes() async throws -> [any RedisNode] { [link] }

    func publishCommand(for server: RedisServerInfo) -> String { "PUBLISH" }

    func subscribe(
        channel: String,
        patience: @escaping RedisPushLink.Patience,
        _ receive: @escaping @Sendable (RedisPush) -> Void
    ) -> any RedisSubscription {
        RedisPushLink.start(
            name: link.name,
            channel,
            loop: link.loop,
            patience: patience,
            dial: dialPush,
            mayStay: { [link] in !link.assumeIsolated { $0.isFailing } },
            receive
        )
    }

    func close() { link.loop.execute { [link] in link.assumeIsolated { $0.close() } } }
}
#endif
