// SPDX-License-Identifier: MIT
#if Redis
internal import LeaderElection
internal import NIOCore

/// Listens to one channel on a connection of its own, and connects again with back-off until it is cancelled.
///
/// Others can be added that are of no use without it, and that it can do without.
/// A server that only stays silent is not noticed by listening, so it is asked from time to time whether it is there.
actor RedisPushLink {
    typealias Receive = @Sendable (RedisPush) -> Void
    typealias Patience = @Sendable () -> Duration
    /// Whether a connection may be kept for this; asked on the event loop.
    typealias Permission = @Sendable () -> Bool

    private enum State {
        case waiting(Scheduled<Void>)
        case connecting
        case subscribing(RedisConnection)
        case subscribed(RedisConnection)
        case cancelled
    }

    nonisolated let loop: any EventLoop
    private let name: String
    private let channel: String
    private let verbs: [String]
    private let dial: RedisLink.Dial
    private let mayStay: Permission
    private let receive: Receive
    /// After how much silence a server is asked whether it is there, and how long it may take to answer.
    private let patience: Patience

    private var state = State.connecting
    private var backOff = RedisBackOff()
    private var reported: ElectionError?
    private var hasHeard = true
    private var refusals = 0
    /// How many of the answers to the subscription to the channel are still to come.
    private var awaited = 0
    private var others: [String] = []
    private var check: Scheduled<Void>?

    nonisolated var unownedExecutor: UnownedSerialExecutor { loop.executor.asUnownedSerialExecutor() }

    /// - Parameter commands: each subscribes; one that succeeds is enough.
    private init(
        name: String,
        _ channel: String,
        commands: [String],
        loop: any EventLoop,
        patience: @escaping Patience,
        dial: @escaping RedisLink.Dial,
        mayStay: @escaping Permission,
        _ receive: @escaping Receive
    ) {
        self.mayStay = mayStay
        self.patience = patience
        self.name = name
        self.channel = channel
        verbs = commands
        self.loop = loop
        self.dial = dial
        self.receive = receive
    }

    /// Begins to listen; ends when the result is cancelled or let go.
    static func start(
        name: String,
        _ channel: String,
        commands: [String] = ["SUBSCRIBE"],
        loop: any EventLoop,
        patience: @escaping Patience,
        dial: @escaping RedisLink.Dial,
        mayStay: @escaping Permission = { true },
        _ receive: @escaping Receive
    ) -> Subscription {
        let link = RedisPushLink(
            name: name,
            channel,
            commands: commands,
            loop: loop,
            patience: patience,
            dial: dial,
            mayStay: mayStay,
            receive
        )
        loop.execute { link.assumeIsolated { $0.connect() } }
        return Subscription(link)
    }

    /// Keeps a ``RedisPushLink`` listening.
    final class Subscription: RedisSubscription {
        private let link: RedisPushLink

        fileprivate init(_ link: RedisPushLink) { self.link = link }

        deinit { cancel() }

        func join(_ channels: [String]) {
            guard !channels.isEmpty else { return }
            link.loop.execute { [link] in link.assumeIsolated { $0.join(channels) } }
        }

        func cancel() { link.loop.execute { [link] in link.assumeIsolated { $0.cancel() } } }

        /// Leaves the present server for the one that is found now, unless that is the one at `address`.
        func reconnect(_ error: ElectionError, to address: String) {
            link.loop.execute { [link] in link.assumeIsolated { $0.reconnect(error, to: address) } }
        }
    }

    private func connect() {
        if case .cancelled = state { return }
        state = .connecting
        dial().hop(to: loop).whenComplete { result in self.assumeIsolated { $0.connected(result) } }
    }

    private func connected(_ result: Result<RedisConnection, any Error>) {
        guard case .connecting = state else {
            if case .success(let connection) = result { connection.end(Self.cancelledError) }
            return
        }
        switch result {
        case .failure(let error):
            let error = ElectionError.wrapping(error)
            backOff.failed(error, at: .now())
            interrupted(error)
        case .success(let connection):
            state = .subscribing(connection)
            backOff.connected(at: .now())
            refusals = 0
            subscribe(connection)
        }
    }

    private func subscribe(_ connection: RedisConnection) {
        let request: RedisRequest
        do { request = try RedisRequest(verbs.map { RedisCommand($0, channel) }) } catch { return interrupted(error) }
        awaited = verbs.count
        connection.assumeIsolated { connection in
            connection.listen { [weak self, weak connection] value in
                guard let self, let connection else { return }
                self.assumeIsolated { $0.heard(value, connection) }
            }
            connection.whenClosed { [weak self] error in
                guard let self else { return }
                self.assumeIsolated { $0.lost(error) }
            }
            connection.send(request)
        }
        scheduleCheck(connection)
    }

    private func join(_ channels: [String]) {
        others += channels
        if case .subscribed(let connection) = state { subscribe(connection, to: channels) }
    }

    private func subscribe(_ connection: RedisConnection, to channels: [String]) {
        guard !channels.isEmpty, let request = try? RedisRequest(verbs.map { RedisCommand([$0] + channels) }) else {
            return
        }
        connection.assumeIsolated { $0.send(request) }
    }

    private func heard(_ value: RedisValue, _ connection: RedisConnection) {
        hasHeard = true
        switch value {
        case .error(let error):
            // What comes later is about the other channels.
            guard awaited > 0 else { break }
            awaited -= 1
            refused(error, connection)
        case .array(let values) where values.count >= 3:
            switch values[0].text {
            case "message", "smessage": if case .bulk(let payload) = values[2] { receive(.message(payload)) }
            case "subscribe", "ssubscribe":
                if awaited > 0 { awaited -= 1 }
                confirmed(connection)
            case "unsubscribe", "sunsubscribe":
                // The slot of the channel has moved to another node.
                connection.end(
                    ElectionError(.storeUnavailable, "the channel has moved away from Redis at \(connection.address)")
                )
            default: break
            }
        default: break
        }
    }

    private func confirmed(_ connection: RedisConnection) {
        guard case .subscribing = state else { return }
        state = .subscribed(connection)
        reported = nil
        subscribe(connection, to: others)
        receive(.subscribed)
    }

    private func refused(_ error: RedisServerError, _ connection: RedisConnection) {
        refusals += 1
        // The first command is the one that matters; the others help out where a server does not know it.
        guard refusals == verbs.count || !error.message.hasPrefix("unknown command") else { return }
        connection.end(error.electionError(connection.address, command: "subscribing to the channel \(channel)"))
    }

    private func lost(_ error: ElectionError) {
        if case .cancelled = state { return }
        backOff.lost(error, at: .now())
        interrupted(error)
    }

    private func interrupted(_ error: ElectionError) {
        check?.cancel()
        let timer = loop.scheduleTask(deadline: backOff.nextAttempt) { [weak self] in
            guard let self else { return }
            self.assumeIsolated { $0.connect() }
        }
        state = .waiting(timer)
        guard reported != error else { return }
        reported = error
        receive(.interrupted(error))
    }

    private var checkInterval: TimeAmount { TimeAmount(max(.milliseconds(250), patience())) }

    private func scheduleCheck(_ connection: RedisConnection) {
        check?.cancel()
        hasHeard = false
        check = loop.scheduleTask(in: checkInterval) { [weak self, weak connection] in
            guard let self, let connection else { return }
            self.assumeIsolated { $0.askWhetherAlive(connection) }
        }
    }

    private func askWhetherAlive(_ connection: RedisConnection) {
        guard mayStay() else {
            let text = "there is no connection for commands to Redis at \(connection.address), so that push gives way"
            return connection.end(ElectionError(.storeUnavailable, text))
        }
        guard !hasHeard else { return scheduleCheck(connection) }
        guard let ping = try? RedisRequest([RedisCommand("PING")]) else { return }
        connection.assumeIsolated { $0.send(ping) }
        check = loop.scheduleTask(in: checkInterval) { [weak self, weak connection] in
            guard let self, let connection else { return }
            self.assumeIsolated { link in
                guard !link.hasHeard else { return link.scheduleCheck(connection) }
                let text = "Redis at \(connection.address) went silent on the connection for push; it is made anew"
                connection.end(ElectionError(.timedOut, text))
            }
        }
    }

    private func reconnect(_ error: ElectionError, to address: String) {
        backOff.forget()
        switch state {
        case .subscribing(let connection), .subscribed(let connection):
            if connection.address != address { connection.end(error) }
        case .waiting(let timer):
            timer.cancel()
            connect()
        case .connecting, .cancelled: break
        }
    }

    private func cancel() {
        let old = state
        state = .cancelled
        check?.cancel()
        switch old {
        case .waiting(let timer): timer.cancel()
        case .subscribing(let connection), .subscribed(let connection):
            connection.end(Self.cancelledError)
        case .connecting, .cancelled: break
        }
    }

    private static let cancelledError = ElectionError(.stopped, "the subscription was cancelled")
}
#endif
