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
    private struct State {
        /// Ends when nobody listens any more.
        var query: BlockingQuery?
        var isStopped = false
        var seen: [String: UInt64] = [:]
    }

    private let http: ConsulHTTP
    private let names: KeyNames
    private let watch: ConsulWatch
    private let subscribers: HintSubscribers
    private let state = Mutex(State())

    init(_ http: ConsulHTTP, _ names: KeyNames, _ watch: ConsulWatch, _ subscribers: HintSubscribers) {
        self.http = http
        self.names = names
        self.watch = watch
        self.subscribers = subscribers
    }

    /// Somebody has to do with notes; whoever listens is told of news from now on.
    func want() {
        guard !subscribers.isEmpty else { return }
        let query = state.withLock { state -> BlockingQuery? in
            guard !state.isStopped, state.query?.isEnded ?? true else { return nil }
            state.seen = [:]
            state.query = BlockingQuery(http, below: names.news, for: .notes, longestRetry: .seconds(30), reader)
            return state.query
        }
        if let query { http.loop.execute { query.start() } }
    }

    /// Lets others go first, on the event loop: see ``BlockingQuery/giveWay(to:)``.
    func giveWay(to error: any Error) { state.withLock { $0.query }?.giveWay(to: error) }

    private var reader: BlockingQuery.Reader {
        BlockingQuery.Reader(
            isWanted: { [subscribers] in !subscribers.isEmpty },
            turn: { [watch] _, ask in
                // Releases matter more than notes, where there is no connection for both.
                if watch.isServed { ask() } else { watch.catchesUp.next(within: .seconds(15), ask) }
            },
            wait: { 55 },
            read: { [weak self] in try self?.read($0) ?? .nothing },
            interrupted: { _, _ in }
        )
    }

    func stop() {
        let query = state.withLock { state in
            state.isStopped = true
            return state.query
        }
        if let query { http.loop.execute { query.cancel() } }
    }

    private func read(_ answer: BlockingQuery.Answer) throws -> BlockingQuery.Worth {
        let now = ConsulStore.wallMilliseconds
        let old = state.withLock { $0.seen }
        var seen: [String: UInt64] = [:]
        var groups: Set<ElectionGroup> = []
        try answer.entries.forEach { item in
            let key = try item.key()
            seen[key] = item.modifyIndex
            // At first, and after an interruption, what is there may be new to whoever listens.
            guard old[key] != item.modifyIndex, let group = names.groupOfNews(key) else { return }
            if try item.entry().flags > now { groups.insert(group) }
        }
        if seen[names.news] == nil { makeRoot() }
        state.withLock { $0.seen = seen }
        for group in groups.sorted(by: { $0.name < $1.name }) { subscribers.send(.noted(group)) }
        return groups.isEmpty ? .nothing : .news(pause: .zero)
    }

    /// Without a key below it, a query for the prefix would be answered after any change of Consul's keys.
    private func makeRoot() {
        let body = KVOperation.body([.compareAndSet(names.news, 0, flags: 0, value: [])])
        _ = http.send(.put, "txn?", body: body, within: .seconds(5))
    }
}
#endif
