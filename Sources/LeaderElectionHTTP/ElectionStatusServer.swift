// SPDX-License-Identifier: MIT

#if HTTP
internal import Hummingbird
internal import HummingbirdCore
public import LeaderElection
internal import LeaderElectionObservability
public import Logging
internal import NIOCore
public import ServiceLifecycle
internal import Synchronization
internal import Tracing

#if canImport(Glibc)
internal import Glibc
#elseif canImport(Musl)
internal import Musl
#else
internal import Darwin
#endif

/// Serves the state of elections over HTTP, for people, load balancers, and Prometheus.
///
/// ```swift
/// let status = try ElectionStatusServer([election], on: "127.0.0.1:8086")
/// try await status.run()
/// ```
/// | path | answer |
/// |---|---|
/// | `/healthz` | 200, or 503 if an election has failed; JSON with the reasons |
/// | `/readyz` | 200 once all elections run and have heard their store, else 503; the same JSON |
/// | `/leader` | who leads each group, as a JSON list; `/leader?group=NAME` that one only |
/// | `/terms` | the last 100 terms that this process saw, as a JSON list |
/// | `/metrics` | the metrics of the elections in the text format of Prometheus |
///
/// It reads what is in memory and never asks a store, so a client that is slow or asks all the time cannot delay an
/// election. There is no authentication and no TLS: listen on the loopback or a private address. At most 64 connections
/// are served at a time.
public struct ElectionStatusServer: Service {
    private static let maximumConnections = 64

    private let elections: [ElectionService]
    private let address: String
    private let place: ListenAddress
    private let logger: Logger
    private let onListening: @Sendable (String) -> Void
    private let recorder = ElectionRecorder(keeping: 100)
    private let metrics = MetricsText()

    /// A server of these elections; what happens in them counts from here on.
    ///
    /// - Parameters:
    ///   - elections: what to tell of; make the server before they run, so that it misses nothing.
    ///   - address: host and port, such as `127.0.0.1:8086` or `[::1]:8086`; port 0 takes a free one.
    ///   - labelledGroups: groups whose metrics have a label of their own; see
    ///     `ElectionObserver`; all others are summed up.
    ///   - logger: where the server tells of requests that it cannot answer; nothing by default.
    ///   - onListening: called with host and port once connections are accepted.
    /// - Throws: ``/LeaderElection/ElectionError/Code/invalidConfiguration`` for an address that is none.
    public init(
        _ elections: [ElectionService],
        on address: String,
        labelledGroups: Set<String> = [],
        logger: Logger = Logger(label: "leader-election") { _ in SwiftLogNoOpLogHandler() },
        onListening: @escaping @Sendable (String) -> Void = { _ in }
    ) throws {
        self.elections = elections
        self.address = address
        place = try ListenAddress(address)
        self.logger = logger
        self.onListening = onListening
        _ = try ElectionObserver(elections, metrics: metrics, tracer: NoOpTracer(), labelledGroups: labelledGroups)
        for election in elections { recorder.watch(election) }
    }

    /// Serves until the task is cancelled or the service group shuts down.
    ///
    /// Requests that are being answered then have two seconds to be finished.
    ///
    /// - Throws: ``StatusServerError`` if it cannot listen.
    public func run() async throws {
        let progress = Progress()
        let application = Application(
            router: router,
            server: .http1(configuration: .init(idleTimeout: .seconds(30))),
            configuration: ApplicationConfiguration(
                address: .hostname(place.host, port: place.port),
                availableConnectionsDelegate: MaximumAvailableConnections(Self.maximumConnections)
            ),
            onServerRunning: { [place, onListening] channel in
                progress.isListening.store(true, ordering: .releasing)
                let host = place.host.contains(":") ? "[\(place.host)]" : place.host
                onListening("\(host):\(channel.localAddress?.port ?? place.port)")
            },
            logger: logger
        )
        var configuration = ServiceGroupConfiguration(services: [application], logger: logger)
        configuration.maximumGracefulShutdownDuration = .seconds(2)
        let group = ServiceGroup(configuration: configuration)
        let loop = application.eventLoopGroup.any()
        // Waited for like a child task, but not cancelled like one: a server that is cancelled drops connections that it
        // has accepted and not looked at yet, and for that NIO ends the whole process.
        let serving = loop.makeFutureWithTask { try await group.run() }
        do {
            try await withTaskCancellationOrGracefulShutdownHandler {
                try await serving.get()
            } onCancelOrGracefulShutdown: {
                progress.isStopping.store(true, ordering: .releasing)
                _ = loop.makeFutureWithTask { await group.triggerGracefulShutdown() }
            }
        } catch {
            if progress.isStopping.load(ordering: .acquiring) { return }
            // Later there is nothing that a caller could do about it but to know.
            throw progress.isListening.load(ordering: .acquiring) ? error : failure(error)
        }
    }

    private final class Progress: Sendable {
        let isListening = Atomic(false)
        let isStopping = Atomic(false)
    }

    private func failure(_ error: any Error) -> StatusServerError {
        let cause = (error as? IOError).map { String(cString: strerror($0.errnoCode)) } ?? "\(error)"
        let remedy =
            (error as? IOError)?.errnoCode == EADDRINUSE
            ? "end what listens there, or give another port" : "give an address of this machine that may be used"
        return StatusServerError(
            address: address,
            description: "cannot listen on \(address): \(cause); \(remedy)"
        )
    }

    private var router: Router<BasicRequestContext> {
        let router = Router(options: .autoGenerateHeadEndpoints)
        router.get("healthz") { _, _ in
            let health = HealthDocument(elections.map(\.health))
            return try Self.json(health, status: health.status == "failed" ? .serviceUnavailable : .ok)
        }
        router.get("readyz") { _, _ in
            let health = elections.map(\.health)
            let unready: Set<ElectionHealth.Cause> = [.notStarted, .stopped, .storeNeverHeard]
            let isReady = !health.contains { health in
                health.status == .failed || health.reasons.contains { unready.contains($0.cause) }
            }
            return try Self.json(HealthDocument(health), status: isReady ? .ok : .serviceUnavailable)
        }
        router.get("leader") { request, _ in
            guard let name = request.uri.queryParameters["group"] else {
                return try Self.json(elections.map(LeaderDocument.init))
            }
            guard let election = elections.first(where: { $0.group.name == name }) else {
                return try Self.json(["error": "this process takes no part in that group"], status: .notFound)
            }
            return try Self.json(LeaderDocument(election))
        }
        router.get("terms") { _, _ in try Self.json(recorder.terms.map(TermDocument.init)) }
        router.get("metrics") { _, _ in
            let text = metrics.text(with: [MetricsText.healthName: healthMetric])
            return Self.response(text.utf8, "text/plain; version=0.0.4; charset=utf-8")
        }
        return router
    }

    /// Health changes by the mere passing of time, so it is looked at when it is asked for.
    private var healthMetric: MetricsText.Family {
        let counts = Dictionary(grouping: elections, by: \.health.status).mapValues(\.count)
        var family = MetricsText.Family(kind: .gauge)
        for status in [ElectionHealth.Status.healthy, .degraded, .failed] {
            family.change(status.rawValue, [("status", status.rawValue)]) { $0.value = Double(counts[status] ?? 0) }
        }
        return family
    }

    private static func json(_ value: some Encodable, status: HTTPResponse.Status = .ok) throws -> Response {
        response(try value.json(), "application/json; charset=utf-8", status: status)
    }

    private static func response(
        _ body: some Sequence<UInt8>,
        _ type: String,
        status: HTTPResponse.Status = .ok
    ) -> Response {
        // What is true now may be false in a moment.
        Response(
            status: status,
            headers: [.contentType: type, .cacheControl: "no-store"],
            body: ResponseBody(byteBuffer: ByteBuffer(bytes: body))
        )
    }
}
#endif
