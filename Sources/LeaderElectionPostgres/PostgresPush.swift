// SPDX-License-Identifier: MIT
#if Postgres
internal import ElectionStores
internal import LeaderElection

/// The second connection, on which the database tells of releases and takeovers.
///
/// It is opened when somebody wants to know, opened again when it breaks, and asked now and then whether it still is
/// there. Each time it has come up, word is sent through the other connection to see whether it arrives: a pooler that
/// gives each transaction another connection accepts `LISTEN` and then never delivers anything.
actor PostgresPush {
    private nonisolated let settings: PostgresSettings
    private nonisolated let subscribers: HintSubscribers
    private nonisolated let opener: PostgresOpener
    private weak let store: PostgresStore?
    /// A name that nobody else listens to.
    private nonisolated let testChannel: SQLName
    private nonisolated let lots: PostgresLots
    /// Where one of a crowd waits behind the leader.
    private(set) var line: PostgresLine?

    private var link: PostgresLink? {
        didSet {
            let link = link
            store?.notes.assumeIsolated { $0.share(link) }
        }
    }
    private var isWanted = false
    private var isWaitingForWork = false
    private var hasWarned = false
    /// Whether the connection was seen to deliver.
    private var delivers = false
    private var test: (number: UInt64, timer: SerialThread.Timer)?
    private var lastTest: UInt64 = 0
    private var timer: SerialThread.Timer?
    private var lookTimer: SerialThread.Timer?
    /// How many processes listen, and how many groups are alive, as they were counted last.
    private var listeners = 0
    private var livingGroups = 0

    nonisolated var unownedExecutor: UnownedSerialExecutor { SerialThread.engine.asUnownedSerialExecutor() }

    private static let pauseBetweenProbes = Duration.seconds(15)
    private static let pauseAfterFailedTest = Duration.seconds(300)
    /// How often free leases and notes are looked for of which nobody tells: neither should take long to be found.
    private static let pauseBetweenLooks = Duration.seconds(3)

    init(_ store: PostgresStore, _ opener: PostgresOpener, testChannel: SQLName) {
        self.store = store
        self.opener = opener
        self.testChannel = testChannel
        settings = store.settings
        lots = store.lots
        subscribers = store.subscribers
    }

    private var patience: Duration {
        max(.milliseconds(500), store?.assumeIsolated { $0.attemptTimeout } ?? .seconds(2))
    }

    func start() {
        guard !isWanted else { return }
        isWanted = true
        line = store.map { PostgresLine($0, self, opener) }
        open()
        lookLater()
    }

    func shutDown() {
        isWanted = false
        timer?.cancel()
        lookTimer?.cancel()
        lookTimer = nil
        test?.timer.cancel()
        line?.assumeIsolated { $0.shutDown() }
        line = nil
        link?.assumeIsolated { $0.close() }
        link = nil
        delivers = false
    }

    /// Goes on only while there is somebody to tell.
    private var isStillWanted: Bool {
        if isWanted, subscribers.isEmpty { shutDown() }
        return isWanted
    }

    private func open() {
        guard isStillWanted, let work = store?.work else { return }
        // If the server has one connection left for us, it must be the one for statements.
        guard work.assumeIsolated({ $0.isOpen }) else {
            let patience = patience
            isWaitingForWork = true
            let next = work.assumeIsolated { work in
                work.connect(patience: patience)
                return work.nextAttempt
            }
            return openLater(at: max(next, .now + .seconds(1)))
        }
        isWaitingForWork = false
        let link = self.link ?? newLink()
        self.link = link
        let patience = patience
        let next = link.assumeIsolated { $0.connect(patience: patience) ? nil : $0.nextAttempt }
        if let next { openLater(at: next) }
    }

    /// The connection for statements is there.
    func workOpened() {
        if isWaitingForWork { open() }
    }

    /// The connection for statements cannot be had: perhaps because of this one.
    func giveWay() {
        line?.assumeIsolated { $0.giveWay() }
        link?.assumeIsolated { $0.hangUp() }
    }

    private func newLink() -> PostgresLink {
        let link = PostgresLink(opener, .listening([settings.channel, lots.own, testChannel]))
        link.assumeIsolated { link in
            link.observe(
                onOpen: { [weak self] _ in self?.assumeIsolated { $0.opened() } },
                onEnd: { [weak self] _ in self?.assumeIsolated { $0.ended() } },
                onNotification: { [weak self] notification in self?.assumeIsolated { $0.heard(notification) } }
            )
        }
        return link
    }

    private func openLater(at moment: ElectionInstant) {
        timer?.cancel()
        timer = SerialThread.engine.schedule(at: moment) { [weak self] in self?.assumeIsolated { $0.open() } }
    }

    private func opened() {
        // Whatever happened while nobody listened has to be read.
        subscribers.send(.resync)
        startTest()
    }

    private func ended() {
        test?.timer.cancel()
        test = nil
        delivers = false
        line?.assumeIsolated { $0.listensNoMore() }
        guard isStillWanted, let link else { return }
        lookLater()
        // Many clients lose a server in the same instant; they do not all come back in the same one.
        let spread = Duration.milliseconds(20) * Double.random(in: 0.5...1.5)
        let next = link.assumeIsolated { $0.nextAttempt }
        openLater(at: max(next, .now + spread))
    }

    private func heard(_ notification: PQConnection.Notification) {
        if notification.channel == testChannel.name {
            guard let test, notification.payload == "\(test.number)" else { return }
            test.timer.cancel()
            self.test = nil
            hasWarned = false
            delivers = true
            beCounted()
            return
        }
        let listeners =
            notification.channel == lots.own.name ? PostgresLots.share(of: likelyCandidates) : likelyCandidates
        guard let hint = Self.hint(in: notification.payload, listeners: listeners), let group = hint.group else {
            return
        }
        switch hint {
        // A note says nothing about the lease.
        case .noted: break
        case .freed: store?.assumeIsolated { $0.heardOfRelease(of: group) }
        default:
            store?.assumeIsolated { $0.heardOfGrant(of: group, term: Self.term(in: notification.payload)) }
            line?.assumeIsolated { $0.heardOfGrant(of: group) }
        }
        subscribers.send(hint)
    }

    /// About how many processes care for the same group; 0 if nothing is known that can be relied on.
    var knownCandidates: Int { delivers ? likelyCandidates : 0 }

    /// About how many processes care for the same group: all listen, but not all are candidates of every group.
    private var likelyCandidates: Int {
        let own = store?.assumeIsolated { $0.groupCount } ?? 1
        guard own < livingGroups else { return listeners }
        return listeners * own / max(1, livingGroups)
    }

    /// What `<letter><term>:<group>` says: `r` released, `a` acquired, `t` transferred, `n` (without a term) a note.
    ///
    /// - Returns: nil for other letters, which later versions may send.
    static func hint(in payload: String, listeners: Int) -> ProviderHint? {
        guard let colon = payload.utf8.firstIndex(of: UInt8(ascii: ":")),
            let group = try? ElectionGroup(String(payload[payload.index(after: colon)...]))
        else { return nil }
        return switch payload.utf8.first {
        case UInt8(ascii: "r"): .freed(group, listeners: listeners)
        case UInt8(ascii: "a"): .taken(group, listeners: listeners)
        case UInt8(ascii: "t"): .changed(group)
        case UInt8(ascii: "n"): .noted(group)
        default: nil
        }
    }

    /// The term that a hint is about; one before all others if it tells none.
    private static func term(in payload: String) -> Int64 { Int64(payload.dropFirst().prefix { $0 != ":" }) ?? .min }

    // MARK: - Whether anything arrives

    private func startTest() {
        lastTest += 1
        let number = lastTest
        let timeout = patience
        let timer = SerialThread.engine.schedule(at: .now + timeout * 2) { [weak self] in
            self?.assumeIsolated { $0.testFailed(number) }
        }
        test = (number, timer)
        let text = "SELECT pg_notify(\(SQLName.literal(testChannel.name)), '\(number)')"
        store?.work.assumeIsolated { work in
            work.run({ _ in PostgresStatement(text) }, timeout: timeout) { [weak self] outcome in
                guard case .failure = outcome else { return }
                self?.assumeIsolated { $0.couldNotTest(number) }
            }
        }
    }

    /// The other connection does not work: that says nothing about this one.
    private func couldNotTest(_ number: UInt64) {
        guard test?.number == number else { return }
        test?.timer.cancel()
        test = nil
        timer?.cancel()
        timer = SerialThread.engine.schedule(at: .now + .seconds(1)) { [weak self] in
            self?.assumeIsolated { push in
                if push.isStillWanted, push.link?.assumeIsolated({ $0.isOpen }) == true { push.startTest() }
            }
        }
    }

    private func testFailed(_ number: UInt64) {
        guard test?.number == number else { return }
        test = nil
        // The connection is of no use; a pooler keeps the one behind it, so that it must not go on listening.
        let link = link
        let patience = patience
        self.link = nil
        timer?.cancel()
        link?.assumeIsolated { link in
            link.run({ _ in PostgresStatement("UNLISTEN *") }, timeout: patience) { _ in
                link.assumeIsolated { $0.close() }
            }
        }
        openLater(at: .now + Self.pauseAfterFailedTest * Double.random(in: 0.9...1.1))
        guard !hasWarned else { return }
        hasWarned = true
        let warning = ElectionError(
            .storeUnsuitable,
            "notifications of \(settings.place) do not arrive, as behind a pooler in transaction mode: releases are "
                + "looked for every \(Self.pauseBetweenLooks.text()). Elections stay correct; for fast hand-over connect "
                + "directly, or through a pooler in session mode"
        )
        store?.assumeIsolated { $0.warn(warning) }
    }

    /// Until notifications are seen to arrive, what they would tell is looked for: their connection may be refused, or the
    /// test of it take long.
    private func lookLater() {
        guard lookTimer == nil else { return }
        let pause = Self.pauseBetweenLooks * Double.random(in: 0.9...1.1)
        lookTimer = SerialThread.engine.schedule(at: .now + pause) { [weak self] in
            self?.assumeIsolated { $0.look() }
        }
    }

    private func look() {
        lookTimer = nil
        guard isStillWanted, !delivers, let store else { return }
        let groups = store.assumeIsolated { store in
            let groups = Array(store.groups)
            store.lookForReleases(of: groups)
            return groups
        }
        let subscribers = subscribers
        store.notes.assumeIsolated { $0.look(at: groups) { subscribers.send(.noted($0)) } }
        lookLater()
    }

    /// Runs a statement on the session that listens; whether there is one.
    func run(
        _ sql: String,
        then finish: @escaping @Sendable (borrowing Result<PostgresLink.Reply, any Error>) -> Void
    ) -> Bool {
        guard delivers, let link else { return false }
        let patience = patience
        link.assumeIsolated { $0.run({ _ in PostgresStatement(sql) }, timeout: patience, then: finish) }
        return true
    }

    // MARK: - Whether the connection is still there, and who else is

    private static let lockClass = 7306
    private nonisolated var lockKey: String { "hashtext(\(SQLName.literal(settings.channel.name)))" }

    /// A lock that all who listen hold together, for as long as their connection lasts: that is what can be counted.
    private func beCounted() {
        let patience = patience
        let text = "SELECT pg_advisory_lock_shared(\(Self.lockClass), \(lockKey))"
        link?.assumeIsolated { link in
            link.run({ _ in PostgresStatement(text) }, timeout: patience) { [weak self] outcome in
                guard case .success = outcome else { return }
                self?.assumeIsolated { $0.probe() }
            }
        }
        // Those who come at the same time are not all there yet.
        probeLater(after: .milliseconds(250))
    }

    private func probeLater(after pause: Duration) {
        timer?.cancel()
        timer = SerialThread.engine.schedule(at: .now + pause * Double.random(in: 0.8...1.2)) { [weak self] in
            self?.assumeIsolated { push in
                push.probe()
                if push.isWanted { push.probeLater(after: min(pause * 4, Self.pauseBetweenProbes)) }
            }
        }
    }

    /// A connection whose other end is gone without a word looks like one on which nothing happens.
    private func probe() {
        guard isStillWanted, let link else { return }
        let timeout = patience
        let text = """
            SELECT (SELECT count(*) FROM pg_locks WHERE locktype = 'advisory' AND classid = \(Self.lockClass)
                    AND objid = \(lockKey)::oid AND objsubid = 2),
                (SELECT count(*) FROM (SELECT 1 FROM \(settings.qualified(settings.table))
                    WHERE nonce IS NOT NULL AND expires > clock_timestamp() - interval '10 seconds' LIMIT 10000) AS living)
            """
        link.assumeIsolated { link in
            guard link.isOpen else { return }
            // No answer ends the connection, and that opens a new one.
            link.run({ _ in PostgresStatement(text) }, timeout: timeout) { [weak self] outcome in
                guard case .success(let reply) = outcome else { return }
                let (listeners, groups) = (reply.result.integer(0, 0), reply.result.integer(0, 1))
                self?.assumeIsolated { $0.counted(listeners: listeners, groups: groups) }
            }
        }
    }

    private func counted(listeners: Int64?, groups: Int64?) {
        self.listeners = Int(listeners ?? 0)
        livingGroups = Int(groups ?? 0)
        line?.assumeIsolated { $0.listens() }
    }
}
#endif
