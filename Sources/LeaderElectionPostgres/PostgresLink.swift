// SPDX-License-Identifier: MIT
#if Postgres
internal import LeaderElection

/// One connection, opened when it is wanted and given up when it does not answer.
///
/// It lives on the engine's own thread and never waits there: a statement goes out, and an answer is read, without a
/// change of thread. Statements leave at once, whatever is under way before them (libpq's pipeline mode), and each is
/// a transaction of its own, so that one that fails harms no other.
actor PostgresLink {
    /// An answer, with the readings of our clock between which the server gave it.
    struct Reply {
        let result: PQResult
        let sent: ElectionInstant
        let received: ElectionInstant
    }

    typealias Text = @Sendable (PostgresQueries) -> PostgresStatement

    /// Whose statement it is.
    enum Role: Sendable {
        /// One of those that the connection is for.
        case resident
        /// One about notes, on a connection that is for something else: as far as that still works, nothing that befalls
        /// the statement ends it.
        case guest
    }

    private struct Call {
        let id: UInt64
        /// Told by the connection that will carry it: what can be asked depends on the server.
        let statement: Text
        let role: Role
        let timeout: Duration
        var completion: (sending Result<Reply, any Error>) -> Void
        let timer: SerialThread.Timer
        var sent = ElectionInstant.distantPast
        var result: PQResult?
        var failure: PQFailure?

        /// As it was before it was sent.
        var asNew: Call {
            var call = self
            call.failure = nil
            call.result = nil
            return call
        }
    }

    private final class Open {
        let connection: PQConnection
        let facts: PostgresOpener.Facts
        var watch: SerialThread.Watch
        var isWatchingForRoom = false
        var calls: [Call] = []
        var preparedNames: Set<String>

        init(_ connection: PQConnection, _ facts: PostgresOpener.Facts, _ watch: SerialThread.Watch) {
            self.connection = connection
            self.facts = facts
            self.watch = watch
            preparedNames = facts.preparedNames
        }
    }

    private enum Phase {
        case idle
        case opening
        case open
        case closed
    }

    private nonisolated let opener: PostgresOpener
    private nonisolated let purpose: PostgresOpener.Purpose
    /// Whether statements are kept by the server under their names, until something in between does not like it.
    private var mayPrepare = true
    private var phase = Phase.idle
    private var open: Open?
    private var waiting: [Call] = []
    private var lastCall: UInt64 = 0
    private var lastFailure: ElectionError?
    private var failures = 0
    private var retryAt = ElectionInstant.distantPast
    /// The longest that a caller waits for an answer; what a silent server is given.
    private var patience = Duration.zero

    private var onOpen: (@Sendable (PostgresOpener.Facts) -> Void)?
    private var onEnd: (@Sendable (ElectionError) -> Void)?
    private var onNotification: (@Sendable (PQConnection.Notification) -> Void)?

    /// Statements that were sent, for benchmarks and tests.
    private(set) var statementCount = 0
    private(set) var connectionAttempts = 0

    nonisolated var unownedExecutor: UnownedSerialExecutor { SerialThread.engine.asUnownedSerialExecutor() }

    init(_ opener: PostgresOpener, _ purpose: PostgresOpener.Purpose) {
        self.opener = opener
        self.purpose = purpose
    }

    /// Calls these on the engine's thread: for each new connection, for each end or failed attempt, for each notification.
    func observe(
        onOpen: (@Sendable (PostgresOpener.Facts) -> Void)?,
        onEnd: (@Sendable (ElectionError) -> Void)? = nil,
        onNotification: (@Sendable (PQConnection.Notification) -> Void)? = nil
    ) {
        self.onOpen = onOpen
        self.onEnd = onEnd
        self.onNotification = onNotification
    }

    // MARK: - Calls

    /// Runs a statement, and hands its answer to `read`.
    func run<Answer: Sendable>(
        _ statement: @escaping Text,
        as role: Role = .resident,
        timeout: Duration,
        _ read: @escaping @Sendable (Reply) throws -> Answer
    ) async throws -> Answer {
        try Task.checkCancellation()
        lastCall += 1
        let id = lastCall
        return try await withTaskCancellationHandler {
            try await withCheckedThrowingContinuation { continuation in
                submit(id, statement, role, timeout) { outcome in
                    continuation.resume(with: Result { try read(try outcome.get()) })
                }
            }
        } onCancel: {
            SerialThread.engine.executeNext { [weak self] in
                guard let self else { return }
                self.assumeIsolated { $0.giveUp(id, CancellationError()) }
            }
        }
    }

    /// Runs a statement, and hands what came of it to `finish` on the engine's thread.
    func run(
        _ statement: @escaping Text,
        as role: Role = .resident,
        timeout: Duration,
        then finish: @escaping (borrowing Result<Reply, any Error>) -> Void
    ) {
        lastCall += 1
        submit(lastCall, statement, role, timeout) { finish($0) }
    }

    private func submit(
        _ id: UInt64,
        _ statement: @escaping Text,
        _ role: Role,
        _ timeout: Duration,
        _ completion: @escaping (sending Result<Reply, any Error>) -> Void
    ) {
        patience = max(patience, timeout)
        let timer = SerialThread.engine.schedule(at: .now + timeout) { [weak self] in
            guard let self else { return }
            self.assumeIsolated { $0.giveUp(id, nil) }
        }
        let call = Call(
            id: id,
            statement: statement,
            role: role,
            timeout: timeout,
            completion: completion,
            timer: timer
        )
        switch phase {
        case .open: send(call)
        case .opening: waiting.append(call)
        case .idle:
            guard ElectionInstant.now >= retryAt else {
                // An attempt is held back: the cause of the last one is all there is to say.
                return finish(call, .failure(lastFailure ?? unreachable()))
            }
            waiting.append(call)
            connect()
        case .closed: finish(call, .failure(ElectionError(.stopped, "the provider is gone")))
        }
    }

    private func finish(_ call: Call, _ outcome: sending Result<Reply, any Error>) {
        call.timer.cancel()
        call.completion(outcome)
    }

    /// A caller does not wait any longer.
    ///
    /// What was sent may still be carried out, and must not be followed by anything on the same connection; but a note
    /// may be followed by another, and its answer is waited for a while longer.
    private func giveUp(_ id: UInt64, _ error: (any Error)?) {
        if let index = waiting.firstIndex(where: { $0.id == id }) {
            let call = waiting.remove(at: index)
            finish(call, .failure(error ?? lastFailure ?? tookTooLong(call.timeout)))
        } else if let index = open?.calls.firstIndex(where: { $0.id == id }), let call = open?.calls[index] {
            if let error, call.role == .guest {
                open?.calls[index].completion = { _ in }
                return call.completion(.failure(error))
            }
            open?.calls.remove(at: index)
            finish(call, .failure(error ?? tookTooLong(call.timeout)))
            end(tookTooLong(call.timeout))
        }
    }

    private func tookTooLong(_ timeout: Duration) -> ElectionError {
        ElectionError(.timedOut, "\(opener.settings.place) did not answer within \(timeout.text())")
    }

    private func explained(_ failure: PQFailure, to role: Role = .resident) -> ElectionError {
        failure.electionError(opener.settings, isAboutNotes: purpose.isNotes || role == .guest)
    }

    private func unreachable() -> ElectionError {
        ElectionError(.storeUnavailable, "\(opener.settings.place) cannot be reached")
    }

    // MARK: - Opening and closing

    /// Opens the connection if there is none and no attempt is held back; whether one is there or on its way.
    @discardableResult
    func connect(patience least: Duration = .zero) -> Bool {
        guard phase == .idle else { return phase != .closed }
        guard ElectionInstant.now >= retryAt else { return false }
        patience = max(patience, least)
        phase = .opening
        connectionAttempts += 1
        opener.open(purpose, patience: patience) { [weak self] result in
            guard let self else { return }
            self.assumeIsolated { $0.opened(result) }
        }
        return true
    }

    private func opened(_ result: Result<PostgresOpener.Parcel, ElectionError>) {
        guard phase == .opening else { return }
        switch result {
        case .success(let parcel):
            guard let connection = parcel.take() else { return }
            failures = 0
            lastFailure = nil
            open = Open(connection, parcel.facts, watch(connection, forRoom: false))
            phase = .open
            onOpen?(parcel.facts)
            let calls = waiting
            waiting = []
            for call in calls { send(call) }
        case .failure(let error):
            failures += 1
            // A server that refuses us is asked more seldom: nothing changes before somebody mends it. A database may do
            // without a table of notes for ever, and is not to be bothered by all its clients every few seconds.
            let isRefused = error.code == .storeRefused
            let longest: Duration = .seconds(isRefused ? (purpose.isNotes ? 60 : 5) : 1)
            let delay = min(longest, .milliseconds(50) * (1 << min(failures - 1, 10)))
            retryAt = .now + delay * Double.random(in: 0.5...1)
            lastFailure = error
            phase = .idle
            let calls = waiting
            waiting = []
            for call in calls { finish(call, .failure(error)) }
            onEnd?(error)
        }
    }

    /// When an attempt may be made again.
    var nextAttempt: ElectionInstant { retryAt }
    var isOpen: Bool { phase == .open }
    /// Whether the last attempt failed.
    var isFailing: Bool { failures > 0 }

    /// Gives the connection up; whatever was under way has an unknown outcome.
    private func end(_ error: ElectionError) {
        guard let ended = open else { return }
        ended.watch.cancel()
        open = nil
        phase = .idle
        retryAt = .distantPast
        for call in ended.calls { finish(call, .failure(error)) }
        onEnd?(error)
    }

    /// Closes the connection until somebody asks again.
    func hangUp() {
        end(ElectionError(.storeUnavailable, "the connection to \(opener.settings.place) was closed"))
    }

    /// Closes the connection for ever.
    func close() {
        observe(onOpen: nil)
        hangUp()
        phase = .closed
        let calls = waiting
        waiting = []
        for call in calls { finish(call, .failure(ElectionError(.stopped, "the provider is gone"))) }
    }

    // MARK: - The wire

    private func send(_ call: Call) {
        guard let open else { return finish(call, .failure(unreachable())) }
        var call = call
        call.sent = .now
        let statement = call.statement(open.facts.queries)
        let prepares = mayPrepare && !open.facts.isPooled
        open.calls.append(call)
        statementCount += 1
        do throws(PQFailure) {
            try send(statement, open, prepares)
            for follower in statement.followers { try send(follower, open, prepares) }
            try open.connection.endGroup()
            try flush(open)
        } catch {
            end(explained(error))
        }
    }

    private func send(_ statement: PostgresStatement, _ open: Open, _ prepares: Bool) throws(PQFailure) {
        let isPrepared = open.preparedNames.contains(statement.name)
        try open.connection.send(statement, isPrepared: prepares ? isPrepared : nil)
        if prepares, !isPrepared { open.preparedNames.insert(statement.name) }
    }

    private func flush(_ open: Open) throws(PQFailure) {
        let mustWait = try open.connection.flush()
        guard open.isWatchingForRoom != mustWait else { return }
        open.watch.cancel()
        open.watch = watch(open.connection, forRoom: mustWait)
        open.isWatchingForRoom = mustWait
    }

    private func watch(_ connection: PQConnection, forRoom: Bool) -> SerialThread.Watch {
        SerialThread.engine.watch(connection.descriptor, for: forRoom ? [.readable, .writable] : .readable) {
            [weak self] events in
            guard let self else { return }
            self.assumeIsolated { $0.ready(events) }
        }
    }

    private func ready(_ events: DescriptorEvents) {
        guard let open else { return }
        do throws(PQFailure) {
            if events.contains(.readable) { try open.connection.readAll() }
            take(from: open)
            guard self.open === open else { return }
            if events.contains(.writable) || open.isWatchingForRoom { try flush(open) }
            guard open.connection.isAlive else { throw open.connection.lost() }
        } catch {
            // What arrived before the end counts.
            take(from: open)
            let cause = open.calls.first?.failure ?? error
            if self.open === open { end(explained(cause)) }
        }
    }

    private func take(from open: Open) {
        while let notification = open.connection.nextNotification() { onNotification?(notification) }
        while self.open === open, !open.calls.isEmpty, let event = open.connection.next() {
            switch event {
            case .result(let result):
                if open.calls[0].result?.columnCount ?? 0 == 0 { open.calls[0].result = result }
            case .failure(let failure):
                // Later ones only say that the pipeline was aborted by the first.
                if open.calls[0].failure == nil { open.calls[0].failure = failure }
            case .endOfStatement: answered()
            }
        }
        while let notification = open.connection.nextNotification() { onNotification?(notification) }
    }

    private func answered() {
        guard let open else { return }
        let call = open.calls.removeFirst()
        if let failure = call.failure {
            if failure.isAboutPreparedStatement, mayPrepare, !open.facts.isPooled {
                // Refused before it was carried out, so that it can be sent again.
                mayPrepare = false
                return send(call.asNew)
            }
            finish(call, .failure(explained(failure, to: call.role)))
            if failure.endsConnection(as: call.role) { end(explained(failure)) }
        } else if let result = call.result {
            finish(call, .success(Reply(result: result, sent: call.sent, received: .now)))
        } else {
            finish(call, .failure(unreachable()))
        }
    }
}
#endif
