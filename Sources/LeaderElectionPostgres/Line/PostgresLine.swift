// SPDX-License-Identifier: MIT
#if Postgres
internal import ElectionStores
internal import LeaderElection

/// The place right behind the leader, where one process of a crowd waits.
///
/// A notification wakes all who listen to anything in the database, and whoever is to lead next waits for a processor among
/// them. A lock wakes only the one that waits for it. The leader therefore holds a lock of the server's, and one of the
/// others, the one that holds the lock `next`, waits for it. A leader that gives its lease back then lets go of its lock, and
/// tells the others only if nobody was granted the lease soon after.
///
/// It is no more than a bell: who leads is for the lease to say, and whoever hears nothing here hears it by a notification,
/// or by its own timers. A process does so for one group; who has to do with several hears of all of them in one place.
actor PostgresLine {
    private enum Role: Equatable {
        /// Neither leads nor wants to.
        case none
        case waiting
        /// Leads, with this lease; and the incarnation of the candidate that does.
        case leading(Nonce, by: Nonce)
    }

    private nonisolated let subscribers: HintSubscribers
    private nonisolated let opener: PostgresOpener
    private weak let store: PostgresStore?
    private weak let push: PostgresPush?

    private var group: ElectionGroup?
    /// On a connection of its own.
    private var lead: LeadLock?
    private var role = Role.none {
        didSet {
            guard role != oldValue else { return }
            trials = 0
            timer?.cancel()
            timer = nil
            silence()
        }
    }
    /// Whether `next` is ours, on the connection that listens.
    private var isNext = false
    private var isAsking = false
    private var pausedUntil = ElectionInstant.distantPast
    /// Until the lease is asked for, after its leader has let go.
    private var bell: SerialThread.Timer?
    /// Until this process tries again to have a place.
    private var timer: SerialThread.Timer?
    private var trials = 0

    nonisolated var unownedExecutor: UnownedSerialExecutor { SerialThread.engine.asUnownedSerialExecutor() }

    /// With fewer processes a notification is as quick, and two connections are saved.
    static let smallestCrowd = 5
    /// How long a candidate may take to ask for a lease that was given back.
    private static let reaction = Duration.milliseconds(150)
    /// How long whoever could not make use of the place leaves it to others.
    private static let retreat = Duration.seconds(4)

    init(_ store: PostgresStore, _ push: PostgresPush, _ opener: PostgresOpener) {
        self.store = store
        self.push = push
        self.opener = opener
        subscribers = store.subscribers
    }

    // MARK: - What this process has to do with the lease

    /// Whether this process stands right behind the leader.
    var isWaiting: Bool { role == .waiting && lead?.assumeIsolated { $0.isWaiting } ?? false }
    /// Whether this process leads, so that another can stand behind it.
    var isLeading: Bool { if case .leading = role { lead?.assumeIsolated { $0.isOurs } ?? false } else { false } }
    /// Where the lease is to be asked for, now that its leader has let go.
    var rungLink: PostgresLink? { bell == nil ? nil : lead?.link }

    /// Whether the server did not let this process stand in line.
    var isRefused: Bool { lead?.assumeIsolated { $0.isRefused } ?? false }

    /// A candidate of this process asked for the lease, and another one holds it.
    func waits(_ request: AcquireRequest) {
        turn(to: request.group)
        // Others of this process may wait while one leads; but whoever led and now asks does so no more.
        if case .leading(let nonce, let leader) = role {
            guard request.candidate.incarnation == leader else { return }
            isOver(nonce)
        }
        if bell != nil { return standBack() }
        guard role == .none else { return }
        role = .waiting
        tryToBeNext(within: .milliseconds(20))
    }

    /// A candidate of this process was granted the lease.
    func leads(_ request: AcquireRequest) {
        turn(to: request.group)
        let role = Role.leading(request.nonce, by: request.candidate.incarnation)
        self.role = role
        // After whoever waits to lead.
        SerialThread.engine.executeLast { [weak self] in
            self?.assumeIsolated { line in
                guard line.role == role else { return }
                line.letGoOfNext()
                line.review()
            }
        }
    }

    /// Whatever was granted with this nonce is over; nobody here waits before it asks again.
    func isOver(_ nonce: Nonce) {
        guard case .leading(nonce, _) = role else { return }
        leave()
    }

    /// Runs a statement that gives the lease back and tells nobody, for whoever stands behind to hear of it.
    ///
    /// - Returns: whether it does: nobody can stand behind this process if it has no lock.
    func release(
        _ nonce: Nonce,
        _ statement: @escaping PostgresLink.Text,
        timeout: Duration,
        then finish: @escaping @Sendable (borrowing Result<PostgresLink.Reply, any Error>) -> Void
    ) -> Bool {
        guard case .leading(nonce, _) = role, isLeading, let lead else { return false }
        lead.assumeIsolated { $0.letGo(after: statement, timeout: timeout, then: finish) }
        leave()
        return true
    }

    /// Somebody else was granted the lease: whoever was next leads now, or has stepped back.
    func heardOfGrant(of group: ElectionGroup) {
        guard group == self.group, role == .waiting, let crowd else { return }
        if isNext {
            // The new leader takes its place in front of us.
            trials = 0
            return tryLater(.waiting)
        }
        // A few try, so that hundreds need not find out that they are too late.
        guard crowd <= HintSpread.unspread || Int.random(in: 0..<crowd) < HintSpread.drawn else { return }
        tryToBeNext(within: .milliseconds(10))
    }

    /// Nobody here has, or waits for, the only lease of this process.
    func leave() {
        role = .none
        rest()
    }

    func shutDown() {
        leave()
        lead?.assumeIsolated { $0.close() }
        lead = nil
    }

    private func turn(to group: ElectionGroup) {
        guard self.group != group else { return }
        shutDown()
        self.group = group
    }

    /// How many care for the lease; nil if they are too few, or if this process has to do with other leases as well.
    private var crowd: Int? {
        guard let store, let group else { return nil }
        return store.assumeIsolated { store in
            guard store.groups == [group], store.knownCandidates >= Self.smallestCrowd else { return nil }
            return store.knownCandidates
        }
    }

    // MARK: - The place behind the leader

    private func tryToBeNext(within limit: Duration) {
        guard role == .waiting, !isNext, timer == nil else { return }
        tryAgain(in: max(limit * Double.random(in: 0..<1), pausedUntil - .now))
    }

    private func tryAgain(in pause: Duration) {
        timer?.cancel()
        timer = SerialThread.engine.schedule(at: .now + pause) { [weak self] in
            self?.assumeIsolated { line in
                line.timer = nil
                if line.role == .waiting, !line.isNext { line.tryToBeNext() } else { line.review() }
            }
        }
    }

    private func tryToBeNext() {
        guard !isAsking, crowd != nil, let key = keys?.next, let push else { return }
        isAsking = push.assumeIsolated { push in
            push.run("SELECT pg_try_advisory_lock(\(key))") { [weak self] outcome in
                let isOurs = if case .success(let reply) = outcome { reply.result.flag(0, 0) } else { false }
                self?.assumeIsolated { $0.mayBeNext(isOurs, key) }
            }
        }
    }

    private func mayBeNext(_ isOurs: Bool, _ key: Int64) {
        // The connection on which it was asked for is gone.
        guard isAsking else { return }
        isAsking = false
        guard isOurs else { return }
        // This process may have turned to something else meanwhile.
        guard role == .waiting, key == keys?.next else { return letGo(of: key) }
        isNext = true
        review()
    }

    private func letGoOfNext() {
        guard isNext, let key = keys?.next else { return }
        isNext = false
        letGo(of: key)
    }

    private func letGo(of key: Int64) {
        _ = push?.assumeIsolated { $0.run("SELECT pg_advisory_unlock(\(key))") { _ in } }
    }

    /// The connection that listens is there, and has counted who else does.
    func listens() {
        tryToBeNext(within: .milliseconds(20))
        review()
        if isLeading { lead?.assumeIsolated { $0.probe() } }
    }

    /// The connection that listens is gone, and `next` with it.
    func listensNoMore() {
        (isNext, isAsking) = (false, false)
        // Somebody else is next now, and one is enough.
        if isWaiting { rest() }
    }

    /// The connection for statements cannot be had: perhaps because of this one.
    func giveWay() { lead?.assumeIsolated { $0.hangUp() } }

    // MARK: - The lock of the leader

    /// Does what the role asks for, as far as it can be done now.
    private func review() {
        guard crowd != nil else { return rest() }
        switch role {
        case .none: rest()
        case .waiting: if isNext { whenReady { $0.wait() } }
        case .leading: whenReady { $0.tryToTake() }
        }
    }

    private func whenReady(_ body: @Sendable (isolated LeadLock) -> Void) {
        guard let store, let key = keys?.lead else { return }
        let lock =
            lead
            ?? LeadLock(
                key: key,
                opener: opener,
                server: { [weak store] in store?.assumeIsolated { $0.server } },
                { [weak self] news in self?.assumeIsolated { $0.hear(news) } }
            )
        lead = lock
        let timeout = store.assumeIsolated { max(.milliseconds(500), $0.attemptTimeout) }
        let nextAttempt = lock.assumeIsolated { lock in
            if lock.isReady(timeout: timeout) { body(lock) }
            return lock.nextAttempt
        }
        if nextAttempt > .now { tryAgain(in: nextAttempt - .now) }
    }

    private func hear(_ news: LeadLock.News) {
        switch (news, role) {
        case (.ready, _): review()
        case (_, .none): rest()
        case (.ours, .waiting): ring()
        case (.ours, .leading): break
        case (.notOurs, .waiting):
            // Somebody is in front of us.
            trials = 0
            review()
        case (.notOurs, .leading): tryLater(role)
        case (.gone, .waiting):
            silence()
            // Others may have better luck.
            letGoOfNext()
            pausedUntil = lead?.assumeIsolated { $0.nextAttempt } ?? .now
        case (.gone, .leading): review()
        }
    }

    /// Whoever is in the wrong place finds that out meanwhile, and leaves it; unless it is stopped.
    private func tryLater(_ role: Role) {
        trials += 1
        // The leader first.
        let share = Double.random(in: role == .waiting ? 1...1.5 : 0.5...1)
        tryAgain(in: .milliseconds(25) * (1 << min(trials, 9)) * share)
    }

    /// Whoever led has let go.
    private func ring() {
        guard let group, let store else { return }
        bell = SerialThread.engine.schedule(at: .now + Self.reaction) { [weak self] in
            self?.assumeIsolated { line in
                // Nobody here wants to lead now: let another one be next.
                line.pausedUntil = .now + Self.retreat * Double.random(in: 0.8...1.2)
                line.leave()
            }
        }
        store.assumeIsolated { $0.heardOfRelease(of: group) }
        subscribers.send(.freed(group, listeners: 1))
    }

    /// The lease is held by somebody who is not in front of us, and may want to be.
    private func standBack() {
        silence()
        lead?.assumeIsolated { $0.letGo() }
        tryLater(.waiting)
    }

    private func silence() {
        bell?.cancel()
        bell = nil
    }

    /// Gives up both places, and keeps the connection for a while.
    private func rest() {
        letGoOfNext()
        lead?.assumeIsolated { $0.rest() }
    }

    private var keys: (lead: Int64, next: Int64)? {
        guard let group, let store else { return nil }
        return Self.keys(of: group, on: store.settings.channel)
    }

    /// What the server calls the locks: the same for all who share a channel.
    static func keys(of group: ElectionGroup, on channel: SQLName) -> (lead: Int64, next: Int64) {
        func key(_ name: String) -> Int64 {
            Int64(bitPattern: "\(name) of \(group.name) on \(channel.name)".stableHash)
        }
        return (key("lead"), key("next"))
    }
}
#endif
