// SPDX-License-Identifier: MIT
#if Redis
internal import LeaderElection
internal import NIOCore

/// One primary that sentinels watch over, wherever it is.
final class SentinelTopology: RedisTopology {
    private let directory: SentinelDirectory
    private let watch: SentinelWatch
    private let login: RedisConnector.Login
    private let link: RedisLink

    init(_ directory: SentinelDirectory, _ login: RedisConnector.Login) {
        self.directory = directory
        self.login = login
        let watch = SentinelWatch(directory)
        self.watch = watch
        link = RedisLink(name: "primary \(directory.primary)", loop: directory.loop) {
            watch.start()
            return directory.dialPrimary(login)
        }
        watch.onSwitch { [weak link] error, address in
            guard let link else { return false }
            link.assumeIsolated { $0.reconnect(error, to: address) }
            return true
        }
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
        var login = login
        login.asksForInfo = false
        let dial: RedisLink.Dial = { [watch, directory, link, login] in
            watch.start()
            return link.assumeIsolated { $0.dialSecond { directory.dialPrimary(login) } }
        }
        let subscription = RedisPushLink.start(
            name: link.name,
            channel,
            loop: link.loop,
            patience: patience,
            dial: dial,
            mayStay: { [link] in !link.assumeIsolated { $0.isFailing } },
            receive
        )
        watch.onSwitch { [weak subscription] error, address in
            subscription?.reconnect(error, to: address)
            return subscription != nil
        }
        return subscription
    }

    func close() {
        watch.stop()
        link.loop.execute { [link] in link.assumeIsolated { $0.close() } }
    }
}
#endif
