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
    /// How many seconds Consul may leave the query unanswered; it adds up to a sixteenth.
    ///
    /// So long a connection that died in silence goes unnoticed; each answer holds all entries, however.
    private static func wait(entries: Int) -> Int64 { entries < 500 ? 10 : 55 }
    /// After what changes more often than it can be read, the next look waits.
    private static var longestPause: Duration { .seconds(1) }
    /// A query that comes back at once is not worth a word; one that keeps failing is.
    private static var patience: Int { 3 }

    private struct State {
        var generation = 0
        var listeners = 0
        var index: UInt64 = 0
        var isCurrent = false
        var seen: [String: SeenKey] = [:]
        var failures = 0
        /// Why the query keeps failing.
        var interruption: ElectionError?
        var told: ElectionError?
        var cancel: (@Sendable () -> Void)?
        var timer: RepeatedTask?
        var random = SystemRandomNumberGenerator()
    }

    private let http: ConsulHTTP
    private let names: KeyNames
    private let held: HeldLeases
    private let sessions: ConsulSessions
    private let subscribers: HintSubscribers
    private let logger: Logger?
    private let state = Mutex(State())

    init(
        _ http: ConsulHTTP,
        _ names: KeyNames,
        _ held: HeldLeases,
        _ sessions: ConsulSessions,
        _ subscribers: HintSubscribers,
        logger: Logger?
    ) {
        self.http = http
        self.names = names
        self.held = held
        self.sessions = sessions
        self.subscribers = subscribers
        self.logger = logger
    }

    /// Whether every change of a key is seen as it happens.
    var isCurrent: Bool { state.withLock { $0.isCurrent } }

    /// Those of the groups that nobody held when last looked, with their entries.
    func free(among groups: some Sequence<ElectionGroup>) -> [ElectionGroup: KVEntry?] {
        state.withLock { state in
            guard state.isCurrent, state.listeners > 0 else { return [:] }
            var free: [ElectionGroup: KVEntry?] = [:]
            for group in groups {
                let key = names.key(group)
                switch state.seen[key] {
                case nil: free[group] = .some(nil)
                case let seen? where seen.holder == nil:
                    let entry = KVEntry(
                        key: key,
                        modifyIndex: seen.modifyIndex,
                        flags: 0,
                        session: nil,
                        value: seen.remains
                    )
                    free[group] = .some(entry)
                default: break
                }
            }
            return free
        }
    }

    /// For how long the entry has been seen as it is; zero if it is not what was seen last.
    func unchanged(_ entry: KVEntry) -> Duration {
        state.withLock { state in
            guard state.isCurrent, let seen = state.seen[entry.key], seen.modifyIndex == entry.modifyIndex else {
                return .zero
            }
            return max(.zero, .now - seen.since)
        }
    }

    func add(_ receive: @escaping @Sendable (ProviderHint) -> Void) -> any HintSubscription {
        let inner = subscribers.add(receive)
        let generation = state.withLock { state in
            state.listeners += 1
            if state.listeners == 1 { state.generation += 1 }
            return state.listeners == 1 ? state.generation : nil
        }
        if let generation { start(generation) }
        return CountedSubscription(inner) { [weak self] in self?.remove() }
    }

    private func remove() {
        let isLast = state.withLock { state in
            state.listeners -= 1
            return state.listeners == 0
        }
        if isLast { stop() }
    }

    func stop() {
        let (cancel, timer) = state.withLock { state in
            defer {
                state.generation += 1
                (state.cancel, state.timer) = (nil, nil)
                (state.isCurrent, state.index, state.seen) = (false, 0, [:])
            }
            return (state.cancel, state.timer)
        }
        timer?.cancel()
        cancel?()
    }

    private func start(_ generation: Int) {
        // A session that holds nothing is nobody's to renew, and is wanted at once when a lease becomes free.
        let timer = http.loop.scheduleRepeatedTask(initialDelay: .seconds(1), delay: .seconds(1)) { [weak self] _ in
            self?.keepIdleSessions()
        }
        state.withLock { $0.timer = timer }
        http.loop.execute { [weak self] in self?.ask(generation) }
    }

    private func keepIdleSessions() {
        let now = ElectionInstant.now
        for (lease, session) in sessions.all where session.provenAt + lease / 3 < now && !held.hasAny(of: session.id) {
            _ = sessions.renew(lease, within: lease / 6)
        }
    }

    // MARK: - The query

    private func ask(_ generation: Int) {
        let place = state.withLock { $0.generation == generation ? (index: $0.index, entries: $0.seen.count) : nil }
        guard let place else { return }
        let (index, seconds) = (place.index, Self.wait(entries: place.entries))
        let wait = index == 0 ? "" : "&index=\(index)&wait=\(seconds)s"
        let limit = index == 0 ? Duration.seconds(10) : .seconds(seconds) * 17 / 16 + .seconds(5)
        let sent = ElectionInstant.now
        let (reply, cancel) = http.send(.get, "kv/\(names.prefix)?recurse\(wait)", within: limit)
        let isWanted = state.withLock { state in
            guard state.generation == generation else { return false }
            state.cancel = cancel
            return true
        }
        if !isWanted { cancel() }
        // Between this answer and the next question nothing is missed: the question names what was seen.
        reply.whenComplete { [weak self] result in self?.answered(result, after: index, sent: sent, generation) }
    }

    private func answered(
        _ result: Result<ConsulReply, any Error>,
        after index: UInt64,
        sent: ElectionInstant,
        _ generation: Int
    ) {
        let received = ElectionInstant.now
        do {
            let reply = try result.get()
            guard let newIndex = reply.index, newIndex > 0 else {
                throw ElectionError(.storeUnsuitable, "what answers is not Consul: it gives no index")
            }
            if newIndex != index || index == 0 {
                let entries: [KVEntry] = reply.outcome == .done ? try TransactionResult.decode(reply.body) : []
                guard note(entries, at: newIndex, after: index, received, generation) else { return }
            }
            let cost = ElectionInstant.now - received
            var pause = cost > .milliseconds(2) ? min(cost * 8, Self.longestPause) : .zero
            // Consul may answer early, but not in a loop; nor may servers in turn whose indices differ.
            if newIndex <= index, received - sent < .milliseconds(100) { pause = max(pause, .milliseconds(200)) }
            again(generation, after: pause)
        } catch {
            failed(error, generation)
        }
    }

    private func again(_ generation: Int, after pause: Duration) {
        guard pause > .zero else { return ask(generation) }
        http.loop.scheduleTask(in: TimeAmount(pause)) { [weak self] in self?.ask(generation) }
    }

    private func failed(_ error: any Error, _ generation: Int) {
        let pause = state.withLock { state -> Duration? in
            guard state.generation == generation else { return nil }
            state.failures += 1
            (state.isCurrent, state.index, state.seen) = (false, 0, [:])
            let pause = RetrySchedule(first: .milliseconds(100), cap: .seconds(1))
                .delay(afterFailures: state.failures, using: &state.random)
            if state.failures >= Self.patience { state.interruption = .wrapping(error) }
            return pause
        }
        guard let pause else { return }
        http.loop.scheduleTask(in: TimeAmount(pause)) { [weak self] in self?.ask(generation) }
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

    /// - Returns: false if nobody listens any more.
    private func note(
        _ entries: [KVEntry],
        at newIndex: UInt64,
        after index: UInt64,
        _ received: ElectionInstant,
        _ generation: Int
    ) -> Bool {
        let isFirst = index == 0
        let wentBack = newIndex < index
        let changes = state.withLock { state -> [SeenKey.Change]? in
            guard state.generation == generation else { return nil }
            // What was seen before an index went backwards may be of another store.
            let old = wentBack ? [:] : state.seen
            var seen: [String: SeenKey] = [:]
            seen.reserveCapacity(entries.count)
            var changes: [SeenKey.Change] = []
            for entry in entries {
                if let known = old[entry.key], known.modifyIndex == entry.modifyIndex {
                    seen[entry.key] = known
                    continue
                }
                let now = SeenKey(entry, at: received)
                seen[entry.key] = now
                if !isFirst, let change = SeenKey.Change(entry.key, from: old[entry.key], to: now) {
                    changes.append(change)
                }
            }
            if !isFirst {
                for (key, known) in old where seen[key] == nil {
                    if let change = SeenKey.Change(key, from: known, to: nil) { changes.append(change) }
                }
            }
            state.seen = seen
            // An index that goes backwards means nothing any more: begin anew.
            state.index = wentBack ? 0 : newIndex
            state.isCurrent = !wentBack
            state.failures = 0
            if state.told != nil { logger?.info("releases are pushed to this process again") }
            (state.told, state.interruption) = (nil, nil)
            return changes
        }
        guard let changes else { return false }
        let byKey = Dictionary(entries.lazy.map { ($0.key, $0) }) { $1 }
        let lost = wentBack ? [] : held.settle(at: newIndex) { byKey[names.key($0)] }
        for group in lost { subscribers.send(.changed(group)) }
        if isFirst || wentBack {
            subscribers.send(.resync)
            return true
        }
        for change in changes {
            guard let group = names.group(change.key) else { continue }
            switch change.kind {
            case .freed: subscribers.send(.freed(group, listeners: 1))
            case .taken(let nonce):
                // Our own grant is no news to us.
                if nonce == nil || held[group]?.nonce != nonce { subscribers.send(.taken(group, listeners: 1)) }
            case .changed: subscribers.send(.changed(group))
            }
        }
        return true
    }
}
#endif
