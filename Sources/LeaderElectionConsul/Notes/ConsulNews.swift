// SPDX-License-Identifier: MIT
#if Consul
internal import ElectionStores
internal import LeaderElection
internal import NIOCore
internal import Synchronization

/// One blocking query for the notes that are news, of all groups, from when this process first had to do with notes.
///
/// It is a query of its own so that notes wake nobody who waits for leases, and those that are no news wake nobody at all.
final class ConsulNews: Sendable {
    /// How long Consul may leave the query unanswered.
    private static var wait: Int64 { 55 }
    /// After news that come more often than they can be read, the next look waits.
    private static var longestPause: Duration { .seconds(1) }

    private struct State {
        var isRunning = false
        var isStopped = false
        var index: UInt64 = 0
        var seen: [String: UInt64] = [:]
        var failures = 0
        var cancel: (@Sendable () -> Void)?
        var random = SystemRandomNumberGenerator()
    }

    private let http: ConsulHTTP
    private let names: KeyNames
    private let subscribers: HintSubscribers
    private let state = Mutex(State())

    init(_ http: ConsulHTTP, _ names: KeyNames, _ subscribers: HintSubscribers) {
        self.http = http
        self.names = names
        self.subscribers = subscribers
    }

    /// Somebody has to do with notes; whoever listens is told of news from now on.
    func want() {
        guard !subscribers.isEmpty else { return }
        let mustStart = state.withLock { state in
            guard !state.isRunning, !state.isStopped else { return false }
            (state.isRunning, state.index, state.seen) = (true, 0, [:])
            return true
        }
        if mustStart { ask() }
    }

    func stop() {
        let cancel = state.withLock { state in
            defer { (state.isStopped, state.cancel) = (true, nil) }
            return state.cancel
        }
        cancel?()
    }

    // MARK: - The query

    private func ask() {
        let index = state.withLock { state -> UInt64? in
            state.isRunning = !state.isStopped && !subscribers.isEmpty
            return state.isRunning ? state.index : nil
        }
        guard let index else { return }
        let wait = index == 0 ? "" : "&index=\(index)&wait=\(Self.wait)s"
        let limit = index == 0 ? Duration.seconds(10) : .seconds(Self.wait) * 17 / 16 + .seconds(5)
        let sent = ElectionInstant.now
        let (reply, cancel) = http.send(.get, "kv/\(names.news)?recurse\(wait)", within: limit)
        let isWanted = state.withLock { state in
            guard !state.isStopped else { return false }
            state.cancel = cancel
            return true
        }
        if !isWanted { cancel() }
        reply.whenComplete { [weak self] result in self?.answered(result, after: index, sent: sent) }
    }

    private func answered(_ result: Result<ConsulReply, any Error>, after index: UInt64, sent: ElectionInstant) {
        let received = ElectionInstant.now
        do {
            let reply = try result.get()
            guard let newIndex = reply.index, newIndex > 0 else {
                throw ElectionError(.storeUnsuitable, "what answers is not Consul: it gives no index")
            }
            var isQuiet = newIndex == index
            if !isQuiet || index == 0 {
                let entries: [KVEntry] = reply.outcome == .done ? try TransactionResult.decode(reply.body) : []
                isQuiet = !note(entries, at: newIndex, after: index)
            }
            let cost = ElectionInstant.now - received
            var pause = cost > .milliseconds(2) ? min(cost * 8, Self.longestPause) : .zero
            // Consul may answer early, but not in a loop.
            if isQuiet, received - sent < .milliseconds(100) { pause = max(pause, .milliseconds(200)) }
            again(after: pause)
        } catch {
            let pause = state.withLock { state in
                state.failures += 1
                state.index = 0
                return RetrySchedule(first: .milliseconds(100), cap: .seconds(30))
                    .delay(afterFailures: state.failures, using: &state.random)
            }
            again(after: pause)
        }
    }

    private func again(after pause: Duration) {
        guard pause > .zero else { return ask() }
        http.loop.scheduleTask(in: TimeAmount(pause)) { [weak self] in self?.ask() }
    }

    /// - Returns: whether there was anything new.
    private func note(_ entries: [KVEntry], at newIndex: UInt64, after index: UInt64) -> Bool {
        if !entries.contains(where: { $0.key == names.news }) { makeRoot() }
        let now = ConsulStore.wallMilliseconds
        let groups = state.withLock { state -> Set<ElectionGroup> in
            var groups: Set<ElectionGroup> = []
            var seen: [String: UInt64] = [:]
            for entry in entries {
                seen[entry.key] = entry.modifyIndex
                // At first, and after an interruption, what is there may be new to whoever listens.
                guard state.seen[entry.key] != entry.modifyIndex, entry.flags > now else { continue }
                if let group = names.groupOfNews(entry.key) { groups.insert(group) }
            }
            let wentBack = newIndex < index
            (state.seen, state.failures) = (seen, 0)
            // An index that goes backwards means nothing any more: begin anew.
            state.index = wentBack ? 0 : newIndex
            return groups
        }
        for group in groups.sorted(by: { $0.name < $1.name }) { subscribers.send(.noted(group)) }
        return !groups.isEmpty
    }

    /// Without a key below it, a query for the prefix would be answered after any change of Consul's keys.
    private func makeRoot() {
        let body = KVOperation.body([.compareAndSet(names.news, 0, flags: 0, value: [])])
        _ = http.send(.put, "txn?", body: body, within: .seconds(5))
    }
}
#endif
