// SPDX-License-Identifier: MIT
#if Redis
internal import LeaderElection
internal import NIOCore

/// Asks sentinels where the primary is, and hears from them when another takes its place.
///
/// Sentinels may be wrong or behind, so whatever they name is asked for its own role at each connect.
actor SentinelDirectory {
    /// One that is not there must not hold up asking the next.
    private static var timeout: Duration { .seconds(1) }
    private static var maximumSentinels: Int { 32 }

    nonisolated let loop: any EventLoop
    nonisolated let primary: String
    private let connector: RedisConnector
    private let login: RedisConnector.Login
    /// The one that answered last comes first.
    private var sentinels: [RedisSettings.Address]

    nonisolated var unownedExecutor: UnownedSerialExecutor { loop.executor.asUnownedSerialExecutor() }

    init(
        _ connector: RedisConnector,
        sentinels: [RedisSettings.Address],
        primary: String,
        login: RedisConnector.Login
    ) {
        self.connector = connector
        self.sentinels = sentinels
        self.primary = primary
        self.login = login
        loop = connector.loop
    }

    /// A connection to the present primary; for callers on the event loop.
    nonisolated func dialPrimary(_ login: RedisConnector.Login) -> EventLoopFuture<RedisConnection> {
        var login = login
        login.mustBePrimary = true
        let search = Search(login: login)
        return assumeIsolated { $0.dial($0.sentinels[...], search) }
    }

    /// A connection to a sentinel that answers; for callers on the event loop.
    nonisolated func dialSentinel() -> EventLoopFuture<RedisConnection> {
        assumeIsolated { $0.dialSentinel($0.sentinels[...], nil) }
    }

    /// What has been tried while looking for the primary.
    private struct Search {
        let login: RedisConnector.Login
        var tried: Set<RedisSettings.Address> = []
        /// Why it was not found, the most telling reason first.
        var causes: [ElectionError] = []

        func with(_ failure: any Error) -> Search {
            var copy = self
            var cause = failure
            if let failure = failure as? Attempt {
                copy.tried.insert(failure.address)
                cause = failure.cause
            }
            let error = ElectionError.wrapping(cause)
            if error.code == .storeRefused { copy.causes.insert(error, at: 0) } else { copy.causes.append(error) }
            return copy
        }
    }

    /// A server that a sentinel named and that could not be used.
    private struct Attempt: Error {
        let address: RedisSettings.Address
        let cause: any Error
    }

    private func dial(
        _ sentinels: ArraySlice<RedisSettings.Address>,
        _ search: Search
    ) -> EventLoopFuture<RedisConnection> {
        guard let sentinel = sentinels.first else { return loop.makeFailedFuture(failure(search)) }
        return ask(sentinel).flatMap { [connector, loop] address in
            guard !search.tried.contains(address) else {
                return loop.makeFailedFuture(
                    ElectionError(.storeUnavailable, "the sentinel at \(sentinel) names the same server, \(address)")
                )
            }
            return connector.open(address, search.login)
                .flatMapErrorThrowing { throw Attempt(address: address, cause: $0) }
        }.flatMapError { error in
            self.assumeIsolated { $0.dial(sentinels.dropFirst(), search.with(error)) }
        }
    }

    /// Where one sentinel believes the primary to be; learns of other sentinels on the way.
    private func ask(_ sentinel: RedisSettings.Address) -> EventLoopFuture<RedisSettings.Address> {
        let deadline = NIODeadline.now() + TimeAmount(Self.timeout)
        let commands = [
            RedisCommand("SENTINEL", "get-master-addr-by-name", primary),
            RedisCommand("SENTINEL", "sentinels", primary),
        ]
        return connector.open(sentinel, login, timeout: Self.timeout).flatMap { connection in
            self.loop.submit { try RedisRequest(commands) }
                .flatMap { request in connection.assumeIsolated { $0.request(request, until: deadline) } }
                .always { _ in connection.end(ElectionError(.stopped, "the sentinel has answered")) }
        }.flatMapThrowing { answers in
            try self.assumeIsolated { try $0.understand(answers, sentinel) }
        }
    }

    private func understand(
        _ answers: [RedisValue],
        _ sentinel: RedisSettings.Address
    ) throws(ElectionError) -> RedisSettings.Address {
        if let error = answers[0].error {
            if error.message.hasPrefix("unknown command") {
                throw ElectionError(
                    .storeUnsuitable,
                    "the server at \(sentinel) is no sentinel; name one, or say redis:// to use the server itself",
                    cause: error
                )
            }
            throw error.electionError("\(sentinel)", command: "SENTINEL get-master-addr-by-name")
        }
        guard let pair = answers[0].array, pair.count == 2, let host = pair[0].text, let port = pair[1].integer,
            let port = Int(exactly: port), (1...65535).contains(port), !host.isEmpty
        else {
            throw ElectionError(
                .storeUnavailable,
                "the sentinel at \(sentinel) does not watch a primary named \"\(primary)\"; correct the name"
            )
        }
        learn(answers[1])
        sentinels.removeAll { $0 == sentinel }
        sentinels.insert(sentinel, at: 0)
        return .host(host, port: port)
    }

    private func learn(_ others: RedisValue) {
        for entry in others.array ?? [] {
            guard let words = entry.array?.map({ $0.text ?? "" }), sentinels.count < Self.maximumSentinels else {
                continue
            }
            var fields: [String: String] = [:]
            for index in stride(from: 0, to: words.count - 1, by: 2) { fields[words[index]] = words[index + 1] }
            guard let host = fields["ip"], let port = fields["port"].flatMap({ Int($0) }), !host.isEmpty else {
                continue
            }
            let address = RedisSettings.Address.host(host, port: port)
            if !sentinels.contains(address) { sentinels.append(address) }
        }
    }

    private func failure(_ search: Search) -> ElectionError {
        guard let cause = search.causes.first else {
            return ElectionError(.storeUnavailable, "no sentinel is known for \"\(primary)\"; name one")
        }
        let text = "no sentinel leads to the primary \"\(primary)\" of Redis: \(cause.message)"
        return ElectionError(cause.code, text, cause: cause)
    }

    private func dialSentinel(
        _ sentinels: ArraySlice<RedisSettings.Address>,
        _ cause: ElectionError?
    ) -> EventLoopFuture<RedisConnection> {
        guard let sentinel = sentinels.first else {
            return loop.makeFailedFuture(cause ?? ElectionError(.storeUnavailable, "no sentinel is known"))
        }
        return connector.open(sentinel, login, timeout: Self.timeout).flatMapError { error in
            self.assumeIsolated { $0.dialSentinel(sentinels.dropFirst(), ElectionError.wrapping(error)) }
        }
    }
}
#endif
