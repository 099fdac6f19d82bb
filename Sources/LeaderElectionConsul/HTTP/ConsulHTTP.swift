// SPDX-License-Identifier: MIT
#if Consul
internal import AsyncHTTPClient
internal import LeaderElection
internal import NIOCore
internal import NIOHTTP1
internal import NIOSSL
internal import Synchronization

#if canImport(FoundationEssentials)
internal import FoundationEssentials
#else
internal import Foundation
#endif

/// Requests to one agent, over connections that are kept.
///
/// A request that is not answered in time closes its connection, so that nothing later is sent behind it. After an answer
/// with `Retry-After`, none is sent before that time.
final class ConsulHTTP: Sendable {
    /// A transaction holds at most so many operations; a limit of Consul's.
    static var operationsPerTransaction: Int { 64 }
    /// So many at once; what is more waits for a connection.
    private static var connections: Int { 8 }
    private static var longestBody: Int { 1 << 30 }

    enum Method: Hashable, Sendable {
        case get
        case put
    }

    /// What a request is for.
    ///
    /// Each has connections of its own: where an agent allows no more of them, a query that waits cannot get into that of
    /// a renewal.
    enum Purpose: Sendable {
        /// To lead, or to find out who does.
        case calls
        /// To wait for releases.
        case releases
        /// To wait for notes.
        case notes
    }

    let loop: any EventLoop
    /// The answers to calls.
    let answers: Occasion
    private let clients: (calls: HTTPClient, releases: HTTPClient, notes: HTTPClient)
    private let base: String
    private let headers: HTTPHeaders
    private let scope: String
    private let place: String
    /// When requests may be sent again, and why not now.
    private let pause = Mutex<(until: ElectionInstant, cause: ElectionError)?>(nil)
    private let refusalHandler = Mutex<(@Sendable (any Error) -> Void)?>(nil)

    init(_ settings: ConsulSettings) {
        loop = ConsulEventLoop.group.next()
        answers = Occasion(on: loop)
        var configuration = HTTPClient.Configuration()
        configuration.httpVersion = .http1Only
        configuration.redirectConfiguration = .disallow
        configuration.connectionPool.concurrentHTTP1ConnectionsPerHostSoftLimit = Self.connections
        configuration.connectionPool.idleTimeout = .seconds(120)
        // The engine tries again, and wants to tell why it has to.
        configuration.connectionPool.retryConnectionEstablishment = false
        configuration.tlsConfiguration = settings.tls
        let scheme = settings.tls == nil ? "http" : "https"
        switch settings.address {
        case .socket(let path): base = "http+unix://" + KeyNames.percentEncoded(path)
        case .host(let host, let port):
            var name = host
            if settings.tls != nil, let serverName = settings.tlsServerName {
                configuration.dnsOverride[serverName] = host
                name = serverName
            }
            base = "\(scheme)://\(name.contains(":") ? "[\(name)]" : name):\(port)"
        }
        func client() -> HTTPClient {
            HTTPClient(eventLoopGroupProvider: .shared(ConsulEventLoop.group), configuration: configuration)
        }
        clients = (client(), client(), client())
        var headers = HTTPHeaders()
        if let token = settings.token { headers.add(name: "X-Consul-Token", value: token) }
        headers.add(name: "Content-Type", value: "application/json")
        // A socket has no name, and a request without one is refused.
        if case .socket = settings.address { headers.add(name: "Host", value: "localhost") }
        self.headers = headers
        var scope = ""
        for (name, value) in [
            ("dc", settings.datacenter), ("ns", settings.namespace), ("partition", settings.partition),
        ] {
            if let value { scope += "&\(name)=\(value)" }
        }
        self.scope = scope
        place = settings.place
    }

    /// Calls `action`, on the event loop, whenever a connection for calls is refused or broken, or the agent is asked too
    /// much.
    func onRefusal(_ action: @escaping @Sendable (any Error) -> Void) {
        refusalHandler.withLock { $0 = action }
    }

    /// Sends a request; the future fails with an ``ElectionError`` that names cause and remedy.
    ///
    /// - Parameters:
    ///   - path: with its query, which every path has at least a question mark of.
    ///   - status: one that is an answer of this path, too.
    func send(
        _ method: Method,
        _ path: String,
        body: ByteBuffer? = nil,
        within timeout: Duration,
        accepting status: UInt? = nil,
        for purpose: Purpose = .calls
    ) -> (reply: EventLoopFuture<ConsulReply>, cancel: @Sendable () -> Void) {
        let request: HTTPClient.Request
        do {
            request = try HTTPClient.Request(
                url: "\(base)/v1/\(path)\(scope)",
                method: method == .get ? .GET : .PUT,
                headers: headers,
                body: body.map { .byteBuffer($0) }
            )
        } catch {
            let error = ElectionError(.invalidConfiguration, "the address \(place) of Consul cannot be used: \(error)")
            return (loop.makeFailedFuture(error), {})
        }
        let now = ElectionInstant.now
        let deadline = now + max(.milliseconds(1), timeout)
        guard let pause = pause.withLock({ $0 }), pause.until > now else {
            return send(request, until: deadline, accepting: status, for: purpose)
        }
        guard pause.until < deadline else { return (loop.makeFailedFuture(pause.cause), {}) }
        let later = loop.scheduleTask(in: TimeAmount(pause.until - now)) {
            self.send(request, until: deadline, accepting: status, for: purpose)
        }
        let reply = later.futureResult.flatMapErrorThrowing { _ in throw CancellationError() }.flatMap(\.reply)
        let cancel: @Sendable () -> Void = {
            later.cancel()
            later.futureResult.whenSuccess { $0.cancel() }
        }
        return (reply, cancel)
    }

    private func send(
        _ request: HTTPClient.Request,
        until deadline: ElectionInstant,
        accepting status: UInt?,
        for purpose: Purpose
    ) -> (reply: EventLoopFuture<ConsulReply>, cancel: @Sendable () -> Void) {
        let sent = ElectionInstant.now
        let client =
            switch purpose {
            case .calls: clients.calls
            case .releases: clients.releases
            case .notes: clients.notes
            }
        let task = client.execute(
            request: request,
            delegate: ResponseAccumulator(request: request, maxBodySize: Self.longestBody),
            // With the channel bound to the loop as well, the connection would be closed after each request.
            eventLoop: .delegate(on: loop),
            deadline: .now() + TimeAmount(max(.milliseconds(1), deadline - sent))
        )
        let place = place
        let reply = task.futureResult
            .flatMapErrorThrowing { throw ConsulFailure.transport($0, at: place) }
            .flatMapThrowing { response in
                let outcome: ConsulReply.Outcome
                switch response.status.code {
                case 200: outcome = .done
                case 404: outcome = .missing
                case 409: outcome = .conflict
                case let code where code == status: outcome = .done
                default:
                    let error = ConsulFailure.answer(response, at: place)
                    if let pause = RetryAfter.pause(response.headers) { self.leaveAlone(pause, error) }
                    throw error
                }
                return ConsulReply(
                    outcome: outcome,
                    sent: sent,
                    index: response.headers.first(name: "X-Consul-Index").flatMap { UInt64($0) },
                    body: response.body ?? ByteBuffer()
                )
            }
        if purpose == .calls { reply.whenComplete(called) }
        return (reply, { task.fail(reason: CancellationError()) })
    }

    @Sendable private func called(_ result: Result<ConsulReply, any Error>) {
        switch result {
        case .success: answers.come()
        case .failure(let error):
            guard (error as? ElectionError)?.code == .storeUnavailable else { return }
            refusalHandler.withLock { $0 }?(error)
        }
    }

    private func leaveAlone(_ time: Duration, _ cause: ElectionError) {
        let until = ElectionInstant.now + time
        pause.withLock { pause in
            if pause.map({ $0.until < until }) ?? true { pause = (until, cause) }
        }
    }

    /// Ends all connections; whatever is under way fails.
    func close() {
        for client in [clients.calls, clients.releases, clients.notes] { client.shutdown { _ in } }
    }
}
#endif
