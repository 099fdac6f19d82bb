// SPDX-License-Identifier: MIT
#if Redis
internal import LeaderElection
internal import NIOCore
internal import NIOPosix
internal import NIOSSL
internal import Synchronization

/// Makes connections and logs them in.
struct RedisConnector: Sendable {
    /// What a new connection says first.
    struct Login: Sendable {
        var username: String?
        var password: String?
        var database = 0
        var clientName: String?
        /// Whether to ask for the server's role, and to refuse all but a primary.
        var mustBePrimary = false
        /// Whether to ask what kind of server it is.
        var asksForInfo = true
    }

    private static let lastConnection = Atomic<UInt64>(0)

    let loop: any EventLoop
    let timeout: Duration
    private let tls: NIOSSLContext?
    private let tlsServerName: String?
    private let hurdles = Hurdles()

    /// What an attempt to connect that takes long is waiting for.
    private final class Hurdles: Sendable {
        let errors = Mutex<[RedisSettings.Address: ElectionError]>([:])
    }

    /// Reads the files that the settings name: blocks for a moment.
    init(_ settings: RedisSettings, loop: any EventLoop = RedisEventLoop.shared) throws {
        self.loop = loop
        timeout = settings.connectTimeout
        tlsServerName = settings.tlsServerName
        do {
            tls = try settings.tls.map { try NIOSSLContext(configuration: $0) }
        } catch {
            throw ElectionError(
                .invalidConfiguration,
                "the TLS settings for Redis cannot be used (\(error)); check the files of certificates and keys",
                cause: error
            )
        }
    }

    /// Connects and logs in; all of it within the timeout, which is that of the settings unless another is given.
    func open(
        _ address: RedisSettings.Address,
        _ login: Login,
        timeout: Duration? = nil
    ) -> EventLoopFuture<RedisConnection> {
        let timeout = min(timeout ?? self.timeout, self.timeout)
        let deadline = NIODeadline.now() + TimeAmount(timeout)
        let diagnosis = RedisDiagnosis(
            address: address,
            usesTLS: tls != nil,
            serverName: tlsServerName ?? Self.serverName(address)
        )
        meets(diagnosis.unreachable, at: address)
        return connect(address, timeout)
            .flatMapThrowing { channel in
                meets(diagnosis.silentAtLogin, at: address)
                return try attach(channel, diagnosis)
            }
            .flatMap { logIn($0, login, until: deadline, diagnosis) }
            .flatMapErrorThrowing { error in
                let error = diagnosis.explain(error)
                throw error == diagnosis.closed ? diagnosis.closedAtLogin : error
            }
            .always { _ in meets(nil, at: address) }
    }

    /// How an attempt that is under way would fail if it went on as it does; nil if there is none.
    func hurdle(at address: RedisSettings.Address) -> ElectionError? { hurdles.errors.withLock { $0[address] } }

    private func meets(_ error: ElectionError?, at address: RedisSettings.Address) {
        hurdles.errors.withLock { $0[address] = error }
    }

    private func connect(_ address: RedisSettings.Address, _ timeout: Duration) -> EventLoopFuture<any Channel> {
        let bootstrap = ClientBootstrap(group: loop).connectTimeout(TimeAmount(timeout))
        switch address {
        case .socket(let path): return bootstrap.connect(unixDomainSocketPath: path)
        case .host(let host, let port):
            return
                bootstrap
                .resolver(HostResolver(loop))
                .channelOption(.tcpOption(.tcp_nodelay), value: 1)
                .channelOption(.socketOption(.so_keepalive), value: 1)
                .connect(host: host, port: port)
        }
    }

    private func attach(_ channel: any Channel, _ diagnosis: RedisDiagnosis) throws -> RedisConnection {
        let connection = RedisConnection(channel, address: "\(diagnosis.address)")
        if let tls {
            let name = diagnosis.serverName.flatMap { Self.isIPAddress($0) ? nil : $0 }
            try channel.pipeline.syncOperations.addHandler(NIOSSLClientHandler(context: tls, serverHostname: name))
        }
        try channel.pipeline.syncOperations.addHandler(RedisChannelHandler(connection, diagnosis))
        // What happened before the handler was there has passed it by.
        if !channel.isActive { throw diagnosis.closedAtLogin }
        return connection
    }

    private func logIn(
        _ connection: RedisConnection,
        _ login: Login,
        until deadline: NIODeadline,
        _ diagnosis: RedisDiagnosis
    ) -> EventLoopFuture<RedisConnection> {
        let steps = RedisLogin(login, address: "\(diagnosis.address)")
        let number = Self.lastConnection.add(1, ordering: .relaxed).newValue
        return loop.submit { try RedisRequest(steps.commands) }
            .flatMap { request in connection.assumeIsolated { $0.request(request, until: deadline) } }
            .flatMapErrorThrowing { error in
                guard let error = error as? ElectionError else { throw error }
                if error.code == .timedOut { throw diagnosis.silentAtLogin }
                throw error
            }
            .flatMapThrowing { answers in
                do throws(ElectionError) {
                    let info = try steps.evaluate(answers, RedisServerInfo.ConnectionID(number: number))
                    connection.assumeIsolated { $0.loggedIn(info) }
                } catch {
                    connection.end(error)
                    throw error
                }
                return connection
            }
    }

    private static func serverName(_ address: RedisSettings.Address) -> String? {
        if case .host(let host, _) = address { host } else { nil }
    }

    private static func isIPAddress(_ name: String) -> Bool {
        (try? SocketAddress(ipAddress: name, port: 0)) != nil
    }
}
#endif
