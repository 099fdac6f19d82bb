// SPDX-License-Identifier: MIT
#if Consul
internal import ElectionStores
internal import LeaderElection
internal import Logging
internal import NIOCore
internal import Synchronization

/// One blocking query for all groups of a prefix, while anybody listens.
///
/// What it sees is a hint: it causes readings, tells a leader that its key is gone, and says what may be taken without
/// another look, by an operation that fails if it is not true any more.
final class ConsulWatch: Sendable {
    /// A query that comes back at once is not worth a word; one that keeps failing is.
    private static var patience: Int { 3 }
    /// Who holds a lease need not be read again for so long after it was told.
    private static var recently: Duration { .seconds(1) }

    private struct State {
        /// Set while anybody listens.
        var query: BlockingQuery?
        var timer: RepeatedTask?
        var isCurrent = false
        /// By the group's name as it stands in the key.
        var seen: [String: SeenKey] = [:]
        /// Names of keys that have changed since they were seen, in a way that is still to be told.
        var refuted: Set<String> = []
        /// By the group's name, who was given back by this process last: if that is what was seen, it is old.
        var released: [String: Nonce] = [:]
        /// Since when no key has gone: what is not seen has been missing for so long.
        var complete = ElectionInstant.distantFuture
        /// Why the query keeps failing.
        var interruption: ElectionError?
        var told: ElectionError?
    }

    private let http: ConsulHTTP
    private let names: KeyNames
    private let held: HeldLeases
    private let sessions: ConsulSessions
    private let crowds: Crowds
    private let lookouts: Lookouts
    private let subscribers: HintSubscribers
    private let logger: Logger?
    private let state = Mutex(State())
    /// When it sees everything again, or for the first time.
    let catchesUp: Occasion

    init(
        _ http: ConsulHTTP,
        _ names: KeyNames,
        _ held: HeldLeases,
        _ sessions: ConsulSessions,
        _ crowds: Crowds,
        _ lookouts: Lookouts,
        _ subscribers: HintSubscribers,
        logger: Logger?
    ) {
        self.http = http
        self.names = names
        self.held = held
        self.sessions = sessions
        self.crowds = crowds
        self.lookouts = lookouts
        self.subscribers = subscribers
        self.logger = logger
        catchesUp = Occasion(on: http.loop)
        lookouts.onChange { [weak self] in self?.review() }
    }

    /// Whether every change of a key is seen as it happens.
    var isCurrent: Bool { state.withLock { $0.isCurrent } }
    /// Whether this process hears of a release, of itself or from those who watch for it.
    var isServed: Bool { isCurrent || lookouts.areOthers }

    /// The entries of those groups that need not be read: nobody held them when last looked, or it was told just now that
    /// another does.
    func known(to requests: some Sequence<AcquireRequest>) -> [ElectionGroup: KVEntry?] {
        guard !subscribers.isEmpty else { return [:] }
        let recently = ElectionInstant.now - Self.recently
        return state.withLock { state in
            guard state.isCurrent else { return [:] }
            var known: [ElectionGroup: KVEntry?] = [:]
            var unknown: Set<ElectionGroup> = []
            for request in requests {
                let name = KeyNames.encode(request.group)
                let seen = state.seen[name]
                if let seen, let holder = seen.holder {
                    // Whether a lease is one's own is too much to be left to what was true a moment ago.
                    let released = state.released[name]
                    let isOurs =
                        holder.nonce.map {
                            $0 == request.nonce || $0 == request.previousNonce || $0 == released
                        } ?? false
                    if isOurs || seen.since < recently {
                        unknown.insert(request.group)
                        known.removeValue(forKey: request.group)
                    }
                }
                guard !state.refuted.contains(name), !unknown.contains(request.group) else { continue }
                known[request.group] = .some(seen?.entry)
            }
            return known
        }
    }

    /// A group that was seen to be free turned out not to be: until there is word of it, it has to be read.
    ///
    /// - Returns: whether there will be.
    func refute(_ group: ElectionGroup) -> Bool {
        let name = KeyNames.encode(group)
        return state.withLock { state in
            guard state.isCurrent, state.seen[name]?.holder == nil else { return false }
            state.refuted.insert(name)
            return true
        }
    }

    /// Leases of this process are being given back: whoever still sees them held has to look again.
    func released(_ requests: some Sequence<ReleaseRequest>) {
        state.withLock { state in
            guard state.isCurrent else { return }
            for request in requests { state.released[KeyNames.encode(request.group)] = request.nonce }
        }
    }

    /// For how long the group's entry, or that there is none, has been seen as it is; zero if it is not what was seen last.
    func unchanged(_ group: ElectionGroup, _ entry: KVEntry?) -> Duration {
        state.withLock { state in
            let seen = state.seen[KeyNames.encode(group)]
            guard state.isCurrent, seen?.modifyIndex == entry?.modifyIndex else { return .zero }
            return max(.zero, .now - (seen?.since ?? state.complete))
        }
    }

    func add(_ receive: @escaping @Sendable (ProviderHint) -> Void) -> any HintSubscription {
        let subscription = subscribers.add(receive) { [weak self] in self?.listenersChanged() }
        listenersChanged()
        return subscription
    }

    func stop() { http.loop.execute { self.end() } }

    /// Lets others go first, on the event loop: see ``BlockingQuery/giveWay(to:)``.
    func giveWay(to error: any Error) {
        state.withLock { $0.query }?.giveWay(to: error)
        lookouts.giveWay(to: error)
    }

    /// To be called when it is known how many wait: that decides who watches.
    func reconsider() { http.loop.execute { self.review() } }

    // MARK: - On the event loop

    private func listenersChanged() {
        http.loop.execute { [weak self] in
            guard let self else { return }
            if subscribers.isEmpty { end() } else { begin() }
        }
    }

    private func begin() {
        guard state.withLock({ $0.timer == nil }) else { return review() }
        // A session that holds nothing is nobody's to renew, and is wanted at once when a lease becomes free.
        let timer = http.loop.scheduleRepeatedTask(initialDelay: .seconds(1), delay: .seconds(1)) { [weak self] _ in
            self?.keepIdleSessions()
            self?.review()
        }
        state.withLock { $0.timer = timer }
        review()
    }

    /// Watches all keys, unless others do so for this process.
    private func review() {
        guard state.withLock({ $0.timer != nil }) else { return }
        lookouts.review(isWatching: isCurrent)
        guard !lookouts.areOthers || !held.isEmpty else { return endQuery() }
        guard state.withLock({ $0.query?.isEnded ?? true }) else { return }
        endQuery()
        let reader = BlockingQuery.Reader(
            isWanted: { [subscribers] in !subscribers.isEmpty },
            turn: { [http, held] failures, ask in
                // Who leads has a renewal to send first, and no need to hear at once of a release.
                if failures == 0 || held.isEmpty { ask() } else { http.answers.next(within: .seconds(5), ask) }
            },
            wait: { [weak self, http] in
                // A query that gives way is in the agent's way until it would have been answered.
                guard http.answers.hasCome else { return 1 }
                // So long a connection that died in silence goes unnoticed; each answer holds all entries, however.
                return (self?.state.withLock { $0.seen.count } ?? 0) < 500 ? 10 : 55
            },
            read: { [weak self] in try self?.read($0) ?? .nothing },
            interrupted: { [weak self] in self?.interrupted($0, failures: $1) }
        )
        let query = BlockingQuery(http, below: names.prefix, for: .releases, longestRetry: .seconds(1), reader)
        state.withLock { $0.query = query }
        query.start()
    }

    private func end() {
        lookouts.end()
        endQuery()
        let timer = state.withLock { state in
            defer { state.timer = nil }
            return state.timer
        }
        timer?.cancel()
    }

    private func endQuery() {
        let query = state.withLock { state in
            let (query, timer) = (state.query, state.timer)
            if query != nil { state = State(timer: timer) }
            return query
        }
        query?.cancel()
    }

    private func keepIdleSessions() {
        let now = ElectionInstant.now
        for (lease, session) in sessions.all where session.provenAt + lease / 3 < now && !held.hasAny(of: session.id) {
            _ = sessions.renew(lease, within: lease / 6)
        }
    }

    private func interrupted(_ error: any Error, failures: Int) {
        state.withLock { state in
            (state.isCurrent, state.seen, state.refuted, state.released) = (false, [:], [], [:])
            if failures >= Self.patience { state.interruption = .wrapping(error) }
        }
    }

    /// Other requests work: what is wrong is the query alone, which nobody would hear of otherwise.
    func tellInterruption() {
        let warning = state.withLock { state -> ElectionError? in
            guard let cause = state.interruption, state.told != cause else { return nil }
            state.told = cause
            return cause
        }
        guard let warning else { return }
        let text = "releases are not pushed to this process, which looks now and then: \(warning.message)"
        logger?.warning("\(text)")
        subscribers.send(.warning(ElectionError(warning.code, text, cause: warning)))
    }

    // MARK: - What it saw

    private func read(_ answer: BlockingQuery.Answer) throws -> BlockingQuery.Worth {
        let (news, gone) = try compare(answer)
        let changes = state.withLock { state -> [SeenKey.Change] in
            // What was seen before an index went backwards may be of another store.
            if answer.wentBack { (state.seen, state.refuted) = ([:], []) }
            var changes: [SeenKey.Change] = []
            for (name, key) in news {
                state.refuted.remove(name)
                if key.holder?.nonce != state.released[name] { state.released.removeValue(forKey: name) }
                let old = state.seen.updateValue(key, forKey: name)
                if let change = SeenKey.Change(name, from: old, to: key) { changes.append(change) }
            }
            for name in gone {
                let old = state.seen.removeValue(forKey: name)
                if let change = SeenKey.Change(name, from: old, to: nil) { changes.append(change) }
            }
            if answer.isFirst || !gone.isEmpty { state.complete = answer.received }
            state.isCurrent = !answer.wentBack
            if state.told != nil { logger?.info("releases are pushed to this process again") }
            (state.told, state.interruption) = (nil, nil)
            return changes
        }
        if !answer.wentBack {
            let seen = state.withLock { $0.seen }
            let lost = held.settle(at: answer.index) { seen[KeyNames.encode($0)] }
            for group in lost { subscribers.send(.changed(group)) }
        }
        if answer.isFirst {
            catchesUp.come()
            reconsider()
        }
        guard !answer.isFirst, !answer.wentBack else {
            subscribers.send(.resync)
            return .news(pause: .zero)
        }
        return .news(pause: tell(changes))
    }

    /// What is not as it was seen before, and what is not there any more.
    private func compare(
        _ answer: BlockingQuery.Answer
    ) throws -> (news: [(name: String, key: SeenKey)], gone: [String]) {
        let old = answer.wentBack ? [:] : state.withLock { $0.seen }
        var news: [(name: String, key: SeenKey)] = []
        var known = 0
        try answer.entries.forEach { item in
            guard let name = try item.groupName(names) else { return }
            let before = old[name]
            if before != nil { known += 1 }
            if before?.modifyIndex != item.modifyIndex {
                news.append((name, SeenKey(try item.entry(), at: answer.received)))
            }
        }
        guard known < old.count else { return (news, []) }
        var gone = Set(old.keys)
        try answer.entries.forEach { item in
            if let name = try item.groupName(names) { gone.remove(name) }
        }
        return (news, Array(gone))
    }

    /// - Returns: how long to wait before asking for more.
    private func tell(_ changes: [SeenKey.Change]) -> Duration {
        var pause = Duration.zero
        for change in changes {
            guard let group = KeyNames.group(named: change.name) else { continue }
            let size = lookouts.size ?? crowds.size(group)
            switch change.kind {
            case .freed:
                lookouts.heardRelease(of: group) { [weak self] in
                    self?.state.withLock { $0.seen[change.name].map { $0.holder == nil } ?? false } ?? false
                }
                tellRelease(of: group, named: change.name, to: size)
                pause = max(pause, Self.pause(afterReleaseTo: size))
            case .taken(let nonce):
                lookouts.heardGrant()
                // Our own grant is no news to us.
                if nonce == nil || held[group]?.nonce != nonce { subscribers.send(.taken(group, listeners: size)) }
            case .changed: subscribers.send(.changed(group))
            }
        }
        return pause
    }

    /// At once, or when it is this process's turn and nobody was faster.
    private func tellRelease(of group: ElectionGroup, named name: String, to crowd: Int) {
        let turn = Crowds.turn(among: crowd)
        guard turn > .zero else { return subscribers.send(.freed(group, listeners: 1)) }
        http.loop.scheduleTask(in: TimeAmount(turn)) { [weak self] in
            guard let self, state.withLock({ $0.seen[name]?.holder == nil }) else { return }
            subscribers.send(.freed(group, listeners: 1))
        }
    }

    /// The candidate that takes the lease goes first: it must not wait until all others listen again.
    ///
    /// Most of a crowd listen again before it is their turn to ask, and hear who leads now.
    private static func pause(afterReleaseTo crowd: Int) -> Duration {
        let first: Duration = crowd <= Crowds.unspread ? .milliseconds(2) : Crowds.settling / 2
        return first + .microseconds(250) * min(50, crowd) * Double.random(in: 0..<1)
    }
}
#endif
