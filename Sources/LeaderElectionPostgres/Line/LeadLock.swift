// SPDX-License-Identifier: MIT
#if Postgres
internal import LeaderElection

/// The lock of one group that its leader holds, and for which the next one waits, on a connection for nothing else.
///
/// It says nothing about who leads: a lock belongs to a session, which ends when a network does.
actor LeadLock {
    enum News: Sendable {
        /// The connection is there.
        case ready
        /// The lock has come to us.
        case ours
        /// It was asked for, or waited for as long as is allowed at a time, in vain.
        case notOurs
        /// The connection is gone, or was not to be had.
        case gone
    }

    /// Where the lease can be asked for and given back as well, to the server that keeps it.
    nonisolated let link: PostgresLink
    private nonisolated let key: Int64
    /// Where the leases are; nil if that is not known.
    private let server: @Sendable () -> String?
    private let tell: @Sendable (News) -> Void

    /// Set while the connection is there: how long one may wait at a time.
    private var patience: Duration?
    private var timeout = Duration.seconds(2)
    private(set) var isOurs = false
    /// Whether a statement waits for it.
    private(set) var isWaiting = false
    private var isTrying = false
    private var failures = 0
    /// When the connection may be asked for again.
    private(set) var nextAttempt = ElectionInstant.distantPast
    private var idleTimer: SerialThread.Timer?

    nonisolated var unownedExecutor: UnownedSerialExecutor { SerialThread.engine.asUnownedSerialExecutor() }

    /// Less, and it is not worth waiting.
    private static let leastPatience = Duration.milliseconds(40)
    /// Whether the connection was not to be had, or was lost.
    var isRefused: Bool { failures > 0 }

    private static let idleTime = Duration.seconds(30)

    init(
        key: Int64,
        opener: PostgresOpener,
        server: @escaping @Sendable () -> String?,
        _ tell: @escaping @Sendable (News) -> Void
    ) {
        link = PostgresLink(opener, .standing)
        self.key = key
        self.server = server
        self.tell = tell
    }

    // MARK: - The connection

    /// Whether the connection is there; opens it if not, and tells when it is.
    func isReady(timeout: Duration) -> Bool {
        idleTimer?.cancel()
        idleTimer = nil
        self.timeout = timeout
        if patience == nil, .now >= nextAttempt {
            link.assumeIsolated { link in
                link.observe(
                    onOpen: { [weak self] facts in self?.assumeIsolated { $0.opened(facts) } },
                    onEnd: { [weak self] _ in self?.assumeIsolated { $0.ended() } }
                )
                link.connect(patience: timeout)
            }
        }
        return patience != nil
    }

    private func opened(_ facts: PostgresOpener.Facts) {
        // A list of hosts may have led elsewhere, and a pooler gives each transaction another session.
        guard let patience = facts.patienceInLine, patience >= Self.leastPatience, !facts.isPooled,
            let server = facts.server, server == self.server()
        else { return hangUp() }
        failures = 0
        self.patience = patience
        tell(.ready)
    }

    private func ended() {
        patience = nil
        (isOurs, isWaiting, isTrying) = (false, false, false)
        failures += 1
        // Nobody misses anything meanwhile, and the server may have no connection to spare.
        let pause = Duration.seconds(5) * (1 << min(failures - 1, 6))
        nextAttempt = .now + pause * Double.random(in: 0.8...1.2)
        tell(.gone)
    }

    /// Gives the connection up, and stays away for a while.
    func hangUp() { link.assumeIsolated { $0.hangUp() } }

    /// Gives the connection up until it is wanted again.
    private func disconnect() {
        link.assumeIsolated { link in
            link.observe(onOpen: nil)
            link.hangUp()
        }
        patience = nil
        (isOurs, isWaiting, isTrying) = (false, false, false)
    }

    func close() {
        idleTimer?.cancel()
        disconnect()
        link.assumeIsolated { $0.close() }
    }

    /// Keeps the connection for a while: who was in line may soon be again.
    func rest() {
        if isWaiting { return disconnect() }
        letGo()
        guard patience != nil, idleTimer == nil else { return }
        idleTimer = SerialThread.engine.schedule(at: .now + Self.idleTime) { [weak self] in
            self?.assumeIsolated { lock in
                lock.idleTimer = nil
                lock.disconnect()
            }
        }
    }

    /// A connection whose other end is gone without a word must not be found so when the lease is given back.
    func probe() {
        link.assumeIsolated { [timeout] in $0.run({ _ in PostgresStatement("SELECT 1") }, timeout: timeout) { _ in } }
    }

    // MARK: - The lock

    /// Waits for the lock; not for long, as a statement that waits keeps a database from clearing up.
    func wait() {
        guard !isWaiting, !isOurs, let patience else { return }
        isWaiting = true
        let began = ElectionInstant.now
        let text = "DO $$BEGIN PERFORM pg_advisory_lock(\(key)); EXCEPTION WHEN lock_not_available THEN NULL; END$$"
        link.assumeIsolated { [timeout] link in
            link.run({ _ in PostgresStatement(text) }, timeout: patience + timeout) { [weak self] outcome in
                let isDone = if case .success = outcome { true } else { false }
                self?.assumeIsolated { $0.waited(for: .now - began, isDone) }
            }
        }
    }

    /// - Parameter isDone: the lock is ours, or we have waited for as long as is allowed.
    private func waited(for time: Duration, _ isDone: Bool) {
        // Of a connection that is gone.
        guard isWaiting, let patience else { return }
        isWaiting = false
        guard isDone else { return hangUp() }
        // What is taken for the end of the time, and is none, shows at once when it is waited for again.
        isOurs = time < patience * 0.95
        tell(isOurs ? .ours : .notOurs)
    }

    /// Takes the lock if nobody has it.
    func tryToTake() {
        guard !isTrying, !isWaiting, !isOurs, patience != nil else { return }
        isTrying = true
        link.assumeIsolated { [key, timeout] link in
            link.run({ _ in PostgresStatement("SELECT pg_try_advisory_lock(\(key))") }, timeout: timeout) {
                [weak self] outcome in
                let isOurs = if case .success(let reply) = outcome { reply.result.flag(0, 0) } else { false }
                self?.assumeIsolated { $0.tried(isOurs) }
            }
        }
    }

    private func tried(_ isOurs: Bool) {
        guard isTrying else { return }
        isTrying = false
        self.isOurs = isOurs
        tell(isOurs ? .ours : .notOurs)
    }

    func letGo() {
        guard isOurs else { return }
        isOurs = false
        link.assumeIsolated { [timeout] in $0.run({ $0.letGoOfAll }, timeout: timeout) { _ in } }
    }

    /// Runs a statement, and lets go of the lock as soon as it is committed: before this process has its answer.
    func letGo(
        after statement: @escaping PostgresLink.Text,
        timeout: Duration,
        then finish: @escaping @Sendable (borrowing Result<PostgresLink.Reply, any Error>) -> Void
    ) {
        isOurs = false
        link.assumeIsolated { link in
            link.run({ statement($0).committed(before: $0.letGoOfAll) }, timeout: timeout) { [weak self] outcome in
                finish(outcome)
                // The session is left in a transaction that failed.
                if case .failure = outcome { self?.assumeIsolated { $0.hangUp() } }
            }
        }
    }
}
#endif
