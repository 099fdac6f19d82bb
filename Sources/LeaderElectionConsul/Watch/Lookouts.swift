// SPDX-License-Identifier: MIT
#if Consul
internal import ElectionStores
internal import LeaderElection
internal import Logging
internal import NIOCore
internal import Synchronization

/// Where many wait for one lease, a few watch its key, and the others only watch that there are such lookouts.
///
/// Consul answers everybody who waits for a change of a key, one after the other, and whoever takes the lease has to wait
/// for its turn among them; a short lease is renewed by such changes. A process that waits in one group only, with many
/// others, therefore lets go of the watch, as long as others have it, and hears when one of them leaves: most often to lead.
/// None of it decides who leads: whoever hears nothing asks when the lease would have run out, as without any push.
final class Lookouts: Sendable {
    /// How long a lookout may take to ask for a lease that was given back, before it makes room for another one.
    private static var reaction: Duration { .milliseconds(150) }
    /// Notes of a group that nobody uses any more are cleared away after this time, and what is written here likewise.
    private static var lifetime: UInt64 { 3_600_000 }
    private static var timeout: Duration { .seconds(5) }
    /// Who has waited for longer counts when somebody else leads, and with its own notes.
    private static var longestCountPause: Duration { .seconds(64) }

    /// The groups that this process has to do with.
    private enum Interest {
        case none
        case one(ElectionGroup)
        case many
    }

    /// The post that this process mans.
    private struct Own {
        var post: Int
        var key: String
        /// Of the last writing.
        var index: UInt64
        var written: ElectionInstant
    }

    private struct State {
        var interest = Interest.none
        /// When a candidate of this process last asked for the lease.
        var asked = ElectionInstant.distantPast
        /// Set while this process waits in a crowd.
        var query: BlockingQuery?
        /// Nil until it is known, and while the query is interrupted.
        var posts: LookoutPosts?
        var own: Own?
        var isWriting = false
        /// When it last was none that would lead.
        var resigned = ElectionInstant.distantPast
        /// Consul does not allow this process to be one.
        var isRefused = false
        /// When to find out how many wait, and how long after that to do so again.
        var nextCount = ElectionInstant.distantPast
        var countPause = Duration.seconds(1)

        mutating func read(
            _ entries: [KVEntry],
            of answer: BlockingQuery.Answer,
            ourName: [UInt8]
        ) -> LookoutPosts.News {
            let isGapless = !answer.isFirst && !answer.wentBack
            var posts = (isGapless ? self.posts : nil) ?? LookoutPosts(ourName: ourName)
            let news = posts.read(entries, at: answer.received)
            self.posts = answer.wentBack ? nil : posts
            // What was read may be older than what was written.
            if let own, own.index <= answer.index, !posts.isOurs(own.post) { self.own = nil }
            // What happened meanwhile is not known.
            return isGapless ? news : LookoutPosts.News(hasAnyLeft: true)
        }
    }

    private let http: ConsulHTTP
    private let names: KeyNames
    private let held: HeldLeases
    private let crowds: Crowds
    private let subscribers: HintSubscribers
    private let logger: Logger?
    private let name = Array("\(Nonce())".utf8)
    private let state = Mutex(State())
    private let changeHandler = Mutex<(@Sendable () -> Void)?>(nil)

    init(
        _ http: ConsulHTTP,
        _ names: KeyNames,
        _ held: HeldLeases,
        _ crowds: Crowds,
        _ subscribers: HintSubscribers,
        logger: Logger?
    ) {
        self.http = http
        self.names = names
        self.held = held
        self.crowds = crowds
        self.subscribers = subscribers
        self.logger = logger
    }

    /// Calls `action` on the event loop when ``areOthers`` may have changed.
    func onChange(_ action: @escaping @Sendable () -> Void) { changeHandler.withLock { $0 = action } }

    /// This process asks for leases, or only who has them: then it may not lead now.
    func asked(for groups: some Sequence<ElectionGroup>, mayLead: Bool) {
        let now = ElectionInstant.now
        let isFirst = state.withLock { state in
            if mayLead { state.asked = now } else { state.resigned = now }
            var isFirst = false
            for group in groups {
                switch state.interest {
                case .many: return false
                case .none: (state.interest, isFirst) = (.one(group), true)
                case .one(let known): if known != group { state.interest = .many }
                }
            }
            return isFirst
        }
        if isFirst { http.loop.execute { self.changed() } }
    }

    /// Whether others watch for this process.
    var areOthers: Bool {
        state.withLock { $0.own == nil && $0.query != nil && $0.posts?.isAnyMannedByOthers(at: .now) ?? false }
    }

    /// Whether this process waits in a crowd, or leads one.
    var isCrowded: Bool { state.withLock { $0.query != nil } }

    /// Whether this process watches for others.
    var isLookout: Bool { state.withLock { $0.own != nil } }
    var isRefused: Bool { state.withLock { $0.isRefused } }

    /// How many hear of a release when this process does; nil if it is no lookout.
    var size: Int? { isLookout ? LookoutPosts.count : nil }

    /// The key of the post that this process mans for the group.
    func ownKey(_ group: ElectionGroup) -> String? {
        state.withLock { state in
            guard case .one(group) = state.interest else { return nil }
            return state.own?.key
        }
    }

    /// A lease was granted to this process, of which its crowd is to hear; after whoever asked for it.
    ///
    /// A process with many groups tells nobody: it would ask about each of them.
    func granted() {
        guard !subscribers.isEmpty, case .one(let group) = state.withLock({ $0.interest }) else { return }
        http.loop.execute { [weak self] in
            guard let self else { return }
            // A lookout that leads leaves its post, which is word enough.
            if !isLookout { ring(.granted, of: group) }
            if isCrowded { changed() }
        }
    }

    /// Has the whole crowd of a group, if it is one, look at its key.
    func ring(_ bell: LookoutPosts.Bell, of group: ElectionGroup) {
        let path = names.lookouts(of: group)
        send([.read(path)]).whenSuccess { [weak self] result in
            guard let self, !result.entries.isEmpty else { return }
            // Consul does not count a write that changes nothing.
            _ = send([.set(path + bell.rawValue, flags: expiry, value: Array("\(Nonce())".utf8))])
        }
    }

    // MARK: - On the event loop

    /// To be called now and then, and when anything has changed that matters here.
    ///
    /// - Parameter isWatching: whether this process sees all keys by itself.
    func review(isWatching: Bool) {
        let now = ElectionInstant.now
        let (group, isRefused, isRunning) = state.withLock { state -> (ElectionGroup?, Bool, Bool) in
            guard case .one(let group) = state.interest else { return (nil, false, state.query != nil) }
            return (group, state.isRefused, state.query.map { !$0.isEnded } ?? false)
        }
        guard let group, !isRefused, !subscribers.isEmpty, crowds.size(group) >= LookoutPosts.smallestCrowd else {
            if isRunning { stop() }
            if let group, !isRefused, isWatching { count(group) }
            return
        }
        if !isRunning { return start(group) }
        let (own, isFit, isVacant) = state.withLock { state in
            (
                state.own, held[group] == nil && state.asked > state.resigned,
                state.posts.map { !$0.vacancies(at: now).isEmpty } ?? false
            )
        }
        guard isFit else {
            leave()
            return
        }
        if let own {
            if now - own.written > LookoutPosts.rewriting {
                man(LookoutPosts.Vacancy(post: own.post, index: own.index))
            }
        } else if isVacant {
            takeTurn(group)
        }
    }

    /// The lease of the group was given back, and this process was told.
    func heardRelease(of group: ElectionGroup, isFree: @escaping @Sendable () -> Bool) {
        let heard = ElectionInstant.now
        guard isLookout else { return }
        http.loop.scheduleTask(in: TimeAmount(Self.reaction)) { [weak self] in
            guard let self, isFree(), held[group] == nil, state.withLock({ $0.asked < heard }) else { return }
            state.withLock { $0.resigned = .now }
            leave()
        }
    }

    /// Somebody else leads: there may be more of them than there were.
    func heardGrant() { state.withLock { $0.nextCount = .distantPast } }

    /// Leaves the post to others, who hear of it.
    @discardableResult
    func leave() -> EventLoopFuture<Void> {
        let deletion = state.withLock { state -> KVOperation? in
            defer { state.own = nil }
            return state.own.map { .compareAndDelete($0.key, $0.index) }
        }
        guard let deletion else { return http.loop.makeSucceededVoidFuture() }
        return send([deletion]).map { _ in }
    }

    func stop() {
        leave()
        let query = state.withLock { state in
            defer { (state.query, state.posts) = (nil, nil) }
            return state.query
        }
        query?.cancel()
    }

    /// Nobody listens any more.
    func end() {
        stop()
        let interest = state.withLock { state in
            defer { state = State() }
            return state.interest
        }
        if case .one(let group) = interest { crowds.forget(group) }
    }

    /// Lets others go first: see ``BlockingQuery/giveWay(to:)``.
    func giveWay(to error: any Error) { state.withLock { $0.query }?.giveWay(to: error) }

    /// Of candidates that start together, the first ones find few others at first.
    private func count(_ group: ElectionGroup) {
        let now = ElectionInstant.now
        let isDue = state.withLock { state in
            guard state.nextCount <= now else { return false }
            state.nextCount = state.countPause <= Self.longestCountPause ? now + state.countPause : .distantFuture
            state.countPause = min(state.countPause, Self.longestCountPause) * 2
            return true
        }
        guard isDue else { return }
        send([.read(names.notes(of: group, below: names.notes))]).whenSuccess { [weak self] result in
            guard let self, result.failures.isEmpty else { return }
            crowds.counted(group, result.entries.count, isOurs: true)
            changed()
        }
    }

    private func start(_ group: ElectionGroup) {
        let reader = BlockingQuery.Reader(
            isWanted: { [subscribers] in !subscribers.isEmpty },
            turn: { [http] failures, ask in
                if failures == 0 { ask() } else { http.answers.next(within: .seconds(15), ask) }
            },
            wait: { 55 },
            read: { [weak self] in try self?.read($0, group) ?? .nothing },
            // Who watches for itself again then does so when that is next looked at: others may need the connection.
            interrupted: { [weak self] _, _ in self?.state.withLock { $0.posts = nil } }
        )
        let path = names.lookouts(of: group)
        let query = BlockingQuery(http, below: path, for: .releases, longestRetry: .seconds(10), reader)
        state.withLock { ($0.query, $0.posts) = (query, nil) }
        query.start()
    }

    private func read(_ answer: BlockingQuery.Answer, _ group: ElectionGroup) throws -> BlockingQuery.Worth {
        var entries: [KVEntry] = []
        try answer.entries.forEach { entries.append(try $0.entry()) }
        let news = state.withLock { $0.read(entries, of: answer, ourName: name) }
        if news.bells.contains(.transferred) {
            subscribers.send(.changed(group))
        } else if news != LookoutPosts.News() {
            subscribers.send(.taken(group, listeners: crowds.size(group)))
        }
        changed()
        return entries.isEmpty ? .nothing : .news(pause: .zero)
    }

    /// Tries to man a post when it is this process's turn, if nobody was faster.
    private func takeTurn(_ group: ElectionGroup) {
        let isFirst = state.withLock { state in
            defer { state.isWriting = true }
            return !state.isWriting
        }
        guard isFirst else { return }
        var random = SystemRandomNumberGenerator()
        let turn = HintSpread.delay(afterGrant: crowds.size(group), using: &random)
        http.loop.scheduleTask(in: TimeAmount(turn)) { [weak self] in
            guard let self else { return }
            let vacancy = state.withLock { state -> LookoutPosts.Vacancy? in
                state.isWriting = false
                guard state.own == nil, state.query != nil else { return nil }
                return state.posts?.vacancies(at: .now).randomElement()
            }
            if let vacancy, held[group] == nil { man(vacancy) }
        }
    }

    /// Writes a post, to take or to keep it.
    private func man(_ vacancy: LookoutPosts.Vacancy) {
        let key = state.withLock { state -> String? in
            guard !state.isWriting, case .one(let group) = state.interest else { return nil }
            state.isWriting = true
            return names.lookouts(of: group) + "\(vacancy.post)"
        }
        guard let key else { return }
        let sent = ElectionInstant.now
        send([.compareAndSet(key, vacancy.index, flags: expiry, value: name)]).whenComplete { [weak self] result in
            guard let self else { return }
            switch result {
            case .success(let result):
                if let index = result.entries.last?.modifyIndex {
                    manned(Own(post: vacancy.post, key: key, index: index, written: sent))
                } else {
                    failed(result.failures.first?.text ?? "")
                }
            case .failure(let error):
                state.withLock { $0.isWriting = false }
                if let error = error as? ElectionError, error.code == .storeRefused { refused(error.message) }
            }
            changed()
        }
    }

    private func manned(_ own: Own) {
        let isWanted = state.withLock { state in
            state.isWriting = false
            if state.query != nil { state.own = own }
            return state.query != nil
        }
        // All have left meanwhile.
        if !isWanted { _ = send([.compareAndDelete(own.key, own.index)]) }
    }

    /// Somebody was faster, which the query tells, or has found this post deserted.
    private func failed(_ text: String) {
        state.withLock { ($0.isWriting, $0.own) = (false, nil) }
        if ConsulFailure.isDenial(text) { refused(ConsulFailure.shown(text)) }
    }

    private func refused(_ text: String) {
        state.withLock { $0.isRefused = true }
        let remedy = "allow key:write for \(names.lookouts) to have a few watch for all"
        logger?.notice("this process is told of each change of a lease for which many wait; \(remedy) (\(text))")
    }

    private func changed() { changeHandler.withLock { $0 }?() }

    private func send(_ operations: [KVOperation]) -> EventLoopFuture<TransactionResult> {
        // Where an agent allows few connections, none of this is in the way of a lease.
        http.send(.put, "txn?", body: KVOperation.body(operations), within: Self.timeout, for: .releases).reply
            .flatMapThrowing { try TransactionResult($0) }
    }

    /// By this, what is left behind for good is found; see ``ConsulStore/notes(of:until:)``.
    private var expiry: UInt64 { ConsulStore.wallMilliseconds + Self.lifetime }
}
#endif
