// SPDX-License-Identifier: MIT
#if Redis
internal import LeaderElection
internal import NIOCore
internal import Synchronization

/// Keeps one connection for whoever asks, and makes it anew when it is needed again.
///
/// One attempt at a time; after a failed one the next is held back, ever longer, and calls fail at once meanwhile.
/// Lives on the event loop: a call costs one hop there and one back.
actor RedisLink: RedisNode {
    /// Finds the server and logs in; called on the event loop.
    typealias Dial = @Sendable () -> EventLoopFuture<RedisConnection>

    /// A call on its way, as its canceller knows it.
    private final class Ticket: Sendable {
        let id = RedisLink.lastCall.add(1, ordering: .relaxed).newValue
        let isCancelled = Atomic<Bool>(false)
    }

    /// Waits for a connection.
    private struct Waiter {
        let timer: Scheduled<Void>
        let proceed: @Sendable (Result<RedisConnection, ElectionError>) -> Void
    }

    private enum State {
        case idle
        /// The number tells the attempt that counts from those that were given up.
        case connecting(UInt64)
        case connected(RedisConnection)
        case closed
    }

    private static let lastCall = Atomic<UInt64>(0)
    private static let longestWait = TimeAmount.seconds(5)

    /// Where it leads, for people.
    nonisolated let name: String
    nonisolated let loop: any EventLoop
    private let dial: Dial
    private let hurdle: @Sendable () -> ElectionError?
    private var state = State.idle
    private var lastAttempt: UInt64 = 0
    private var backOff: RedisBackOff
    private var waiters: [UInt64: Waiter] = [:]
    /// Which connection and which request on it a call is waiting for.
    private var sent: [UInt64: (connection: RedisConnection, request: UInt64)] = [:]

    nonisolated var unownedExecutor: UnownedSerialExecutor { loop.executor.asUnownedSerialExecutor() }

    /// - Parameter hurdle: what an attempt that is under way waits for.
    init(
        name: String,
        loop: any EventLoop,
        backOff: RedisBackOff = RedisBackOff(),
        hurdle: @escaping @Sendable () -> ElectionError? = { nil },
        dial: @escaping Dial
    ) {
        self.hurdle = hurdle
        self.name = name
        self.loop = loop
        self.backOff = backOff
        self.dial = dial
    }

    deinit { if case .connected(let connection) = state { Self.close(connection) } }

    // MARK: Calls

    nonisolated func send(
        _ commands: [RedisCommand],
        on connection: RedisServerInfo.ConnectionID?,
        timeout: Duration
    ) async throws -> [RedisValue] {
        guard !commands.isEmpty else { return [] }
        let request = try RedisRequest(commands)
        let deadline = NIODeadline.now() + TimeAmount(timeout)
        return try await perform { link, ticket, complete in
            link.whenConnected(ticket.id, until: deadline) { [weak link] result in
                guard let link else { return }
                link.assumeIsolated { link in
                    link.proceed(result, ticket, request, on: connection, until: deadline, complete)
                }
            }
        }
    }

    nonisolated func run(
        _ calls: [RedisScriptCall],
        followedBy followers: [RedisCommand],
        on connection: RedisServerInfo.ConnectionID?,
        timeout: Duration
    ) async throws -> [RedisValue] {
        let start = ContinuousClock.now
        return try await RedisScriptRun(calls: calls, followers: followers).perform { commands in
            try await send(commands, on: connection, timeout: max(.zero, timeout - (.now - start)))
        }
    }

    nonisolated func connect(timeout: Duration) async throws -> RedisServerInfo {
        let deadline = NIODeadline.now() + TimeAmount(timeout)
        return try await perform { link, ticket, complete in
            link.whenConnected(ticket.id, until: deadline) { result in
                let info = result.flatMap { connection in
                    connection.assumeIsolated { connection in
                        connection.info.map { .success($0) }
                            ?? .failure(ElectionError(.storeUnavailable, "not connected"))
                    }
                }
                complete(info)
            }
        }
    }

    /// The same as ``send(_:on:timeout:)`` for callers on the event loop.
    func request(_ request: RedisRequest, until deadline: NIODeadline) -> EventLoopFuture<[RedisValue]> {
        let promise = loop.makePromise(of: [RedisValue].self)
        let ticket = Ticket()
        whenConnected(ticket.id, until: deadline) { [weak self] result in
            guard let self else { return promise.fail(Self.closedError) }
            self.assumeIsolated { link in
                link.proceed(result, ticket, request, on: nil, until: deadline) { result in
                    promise.completeWith(result.mapError { $0 as any Error })
                }
            }
        }
        return promise.futureResult
    }

    /// Dials for something that comes second to this connection, once this one is there.
    ///
    /// A server that has one connection left for us must not give it to what is of no use alone.
    func dialSecond(_ dial: @escaping Dial) -> EventLoopFuture<RedisConnection> {
        let promise = loop.makePromise(of: Void.self)
        whenConnected(Ticket().id, until: .now() + Self.longestWait) { result in
            promise.completeWith(result.map { _ in }.mapError { $0 as any Error })
        }
        return promise.futureResult.flatMap { dial() }
    }

    /// Whether there is no connection and the last attempt failed.
    var isFailing: Bool { !isConnected && backOff.cause != nil }

    var isConnected: Bool { if case .connected = state { true } else { false } }

    var connectedServer: RedisServerInfo? {
        guard case .connected(let connection) = state else { return nil }
        return connection.assumeIsolated { $0.info }
    }

    /// Runs `start` on the event loop and waits until it completes; a cancelled call ends with its connection.
    private nonisolated func perform<Value: Sendable>(
        _ start:
            @escaping @Sendable (
                isolated RedisLink, Ticket, @escaping @Sendable (Result<Value, ElectionError>) -> Void
            ) -> Void
    ) async throws -> Value {
        try Task.checkCancellation()
        let ticket = Ticket()
        return try await withTaskCancellationHandler {
            try await withCheckedThrowingContinuation { continuation in
                loop.execute {
                    guard !ticket.isCancelled.load(ordering: .relaxed) else {
                        return continuation.resume(throwing: CancellationError())
                    }
                    self.assumeIsolated { link in
                        start(link, ticket) { result in
                            if case .failure = result, ticket.isCancelled.load(ordering: .relaxed) {
                                return continuation.resume(throwing: CancellationError())
                            }
                            continuation.resume(with: result)
                        }
                    }
                }
            }
        } onCancel: {
            ticket.isCancelled.store(true, ordering: .relaxed)
            loop.execute { self.assumeIsolated { $0.cancel(ticket.id) } }
        }
    }

    private func proceed(
        _ result: Result<RedisConnection, ElectionError>,
        _ ticket: Ticket,
        _ request: RedisRequest,
        on expected: RedisServerInfo.ConnectionID?,
        until deadline: NIODeadline,
        _ complete: @escaping RedisConnection.Completion
    ) {
        switch result {
        case .failure(let error): complete(.failure(error))
        case .success(let connection):
            let id = connection.assumeIsolated { $0.info?.connection }
            if let expected, id != expected {
                let text = "the connection to Redis at \(name) was replaced; nothing was sent, ask again"
                return complete(.failure(ElectionError(.storeUnavailable, text)))
            }
            let request = connection.assumeIsolated { connection in
                connection.submit(request, until: deadline) { [weak self] result in
                    if let self { self.assumeIsolated { $0.answered(ticket.id, result, connection) } }
                    complete(result)
                }
            }
            // Only now: a connection that has ended completes at once.
            if connection.assumeIsolated({ $0.failure == nil }) { sent[ticket.id] = (connection, request) }
        }
    }

    private func answered(
        _ call: UInt64,
        _ result: Result<[RedisValue], ElectionError>,
        _ connection: RedisConnection
    ) {
        sent[call] = nil
        guard case .success(let answers) = result else { return }
        guard let refusal = answers.lazy.compactMap(\.error).first(where: \.meansNotPrimary) else { return }
        // Whoever is the primary now may be found under the same name.
        connection.end(refusal.electionError(name))
    }

    private func cancel(_ call: UInt64) {
        let error = ElectionError(.timedOut, "a request to Redis at \(name) was given up; the connection is made anew")
        if let waiter = waiters.removeValue(forKey: call) {
            waiter.timer.cancel()
            waiter.proceed(.failure(error))
        } else if let (connection, request) = sent[call] {
            connection.assumeIsolated { $0.abandon(request, error) }
        }
    }

    // MARK: The connection

    /// Calls `proceed` on the event loop: at once if there is a connection or none may be tried for now.
    func whenConnected(
        _ call: UInt64,
        until deadline: NIODeadline,
        _ proceed: @escaping @Sendable (Result<RedisConnection, ElectionError>) -> Void
    ) {
        switch state {
        case .connected(let connection): return proceed(.success(connection))
        case .closed: return proceed(.failure(Self.closedError))
        case .idle:
            if let cause = backOff.heldBack(at: .now()) { return proceed(.failure(cause)) }
        case .connecting: break
        }
        let timer = loop.scheduleTask(deadline: deadline) { [weak self] in
            guard let self else { return }
            self.assumeIsolated { $0.waitedTooLong(call) }
        }
        waiters[call] = Waiter(timer: timer, proceed: proceed)
        if case .idle = state { startConnecting() }
    }

    private func waitedTooLong(_ call: UInt64) {
        guard let waiter = waiters.removeValue(forKey: call) else { return }
        let text = "Redis at \(name) is not connected yet; check that the host is up and reachable"
        // As the last attempt ended, or as this one will: one cause, told once.
        waiter.proceed(.failure(backOff.cause ?? hurdle() ?? ElectionError(.timedOut, text)))
    }

    private func startConnecting() {
        lastAttempt += 1
        let attempt = lastAttempt
        state = .connecting(attempt)
        dial().hop(to: loop).whenComplete { [weak self] result in
            guard let self else {
                if case .success(let connection) = result { Self.close(connection) }
                return
            }
            self.assumeIsolated { $0.connected(result, attempt) }
        }
    }

    private func connected(_ result: Result<RedisConnection, any Error>, _ attempt: UInt64) {
        guard case .connecting(attempt) = state else {
            if case .success(let connection) = result { Self.close(connection) }
            return
        }
        let outcome = result.mapError { ElectionError.wrapping($0) }
        switch outcome {
        case .success(let connection):
            state = .connected(connection)
            backOff.connected(at: .now())
            connection.assumeIsolated { connection in
                connection.whenClosed { [weak self, weak connection] error in
                    guard let self, let connection else { return }
                    self.assumeIsolated { $0.lost(connection, error) }
                }
            }
        case .failure(let error):
            state = .idle
            backOff.failed(error, at: .now())
        }
        let waiters = self.waiters.sorted { $0.key < $1.key }.map(\.value)
        self.waiters = [:]
        for waiter in waiters {
            waiter.timer.cancel()
            waiter.proceed(outcome)
        }
    }

    private func lost(_ connection: RedisConnection, _ error: ElectionError) {
        guard case .connected(let current) = state, current === connection else { return }
        state = .idle
        backOff.lost(error, at: .now())
    }

    /// Gives the present connection up, unless it is to `address`: the right server is known to be there now.
    func reconnect(_ error: ElectionError, to address: String) {
        backOff.forget()
        switch state {
        case .connected(let connection):
            guard connection.address != address else { return }
            state = .idle
            connection.end(error)
        case .connecting: startConnecting()
        case .idle, .closed: break
        }
    }

    /// Gives up the connection for good.
    func close() {
        let connection: RedisConnection? = if case .connected(let connection) = state { connection } else { nil }
        state = .closed
        for waiter in waiters.values {
            waiter.timer.cancel()
            waiter.proceed(.failure(Self.closedError))
        }
        waiters = [:]
        connection?.end(Self.closedError)
    }

    private static let closedError = ElectionError(
        .stopped,
        "the connection to Redis was closed by this program; make a new provider"
    )

    private static func close(_ connection: RedisConnection) {
        connection.loop.execute { connection.end(closedError) }
    }
}
#endif
