// SPDX-License-Identifier: MIT
#if Consul
internal import ElectionStores
internal import LeaderElection
internal import NIOCore
internal import Synchronization

/// The four verbs, in transactions of Consul's key-value store.
final class ConsulStore: Sendable {
    let settings: ConsulSettings
    let http: ConsulHTTP
    let names: KeyNames
    let sessions: ConsulSessions
    let held: HeldLeases
    let watch: ConsulWatch
    let news: ConsulNews
    let crowds: Crowds
    let lookouts: Lookouts
    let handovers = Handovers()
    let doubts = Doubts()
    /// The last call for each note that is being written or removed: requests may overtake each other on their way.
    let noteCalls = Mutex<[String: EventLoopFuture<Void>]>([:])
    /// When to look next for notes that have expired in groups that nobody reads any more.
    let nextSweep = Mutex(ElectionInstant.now + .seconds(Int64.random(in: 300...900)))
    /// Until when Consul may keep a group's key locked because its session has ended.
    let lockDelays = Mutex<[ElectionGroup: ElectionInstant]>([:])
    private let lastTimeout = Mutex(Duration.seconds(5))

    init(_ settings: ConsulSettings) {
        self.settings = settings
        let http = ConsulHTTP(settings)
        let names = KeyNames(prefix: settings.prefix)
        let held = HeldLeases()
        let subscribers = HintSubscribers()
        let crowds = Crowds()
        let lookouts = Lookouts(http, names, held, crowds, subscribers, logger: settings.logger)
        let sessions = ConsulSessions(http, settings) { session in
            for group in held.removeAll(of: session) { subscribers.send(.changed(group)) }
        }
        self.http = http
        self.names = names
        self.held = held
        self.sessions = sessions
        self.crowds = crowds
        self.lookouts = lookouts
        watch = ConsulWatch(http, names, held, sessions, crowds, lookouts, subscribers, logger: settings.logger)
        news = ConsulNews(http, names, watch, subscribers)
        http.onRefusal { [weak watch, weak news] error in
            watch?.giveWay(to: error)
            news?.giveWay(to: error)
        }
    }

    /// A little before the caller gives up, so that it hears the cause from here, and always in the same words.
    ///
    /// A reading has no time-out of its own: it gets that of the call before.
    func deadline(_ timeout: Duration?) -> ElectionInstant {
        let timeout = lastTimeout.withLock { last in
            if let timeout { last = timeout }
            return last
        }
        return .now + timeout * 0.9
    }

    // MARK: - Reading

    func holders(of groups: [ElectionGroup], until deadline: ElectionInstant) async -> [HolderAnswer] {
        lookouts.asked(for: groups, mayLead: false)
        let read = await read(groups, until: deadline)
        return groups.map { group in
            switch read[group] {
            case .success(let entry?):
                KVState.lease(entry).map { .held($0) } ?? .free(lastTerm: StoredRecord.lastTerm(entry.value))
            case .success(nil), nil: .free(lastTerm: nil)
            case .failure(let error): .unknown(error)
            }
        }
    }

    /// Reads entries from the servers' leader, as many at once as a transaction holds.
    func read(
        _ groups: some Sequence<ElectionGroup>,
        until deadline: ElectionInstant
    ) async -> [ElectionGroup: Result<KVEntry?, any Error>] {
        let groups = Array(Set(groups))
        let chunks = stride(from: 0, to: groups.count, by: ConsulHTTP.operationsPerTransaction).map { start in
            groups[start..<min(start + ConsulHTTP.operationsPerTransaction, groups.count)]
        }
        let results = await transact(chunks.map { $0.map { .read(names.key($0)) } }, until: deadline, isReading: true)
        var entries: [ElectionGroup: Result<KVEntry?, any Error>] = [:]
        entries.reserveCapacity(groups.count)
        for (chunk, result) in zip(chunks, results) {
            switch result {
            case .failure(let error): for group in chunk { entries[group] = .failure(error) }
            case .success(let result):
                if let failure = result.failures.first {
                    let error = ConsulFailure.operation(failure.text, at: settings.place)
                    for group in chunk { entries[group] = .failure(error) }
                    continue
                }
                var found: [String: KVEntry] = [:]
                for entry in result.entries { found[entry.key] = entry }
                for group in chunk { entries[group] = .success(found[names.key(group)]) }
            }
        }
        return entries
    }

    // MARK: - Transactions

    /// Carries out transactions, all at once.
    func transact(
        _ transactions: [[KVOperation]],
        until deadline: ElectionInstant,
        isReading: Bool = false
    ) async -> [Result<TransactionResult, any Error>] {
        guard !transactions.isEmpty else { return [] }
        let left = deadline - .now
        guard left > .zero else {
            let error = ConsulFailure.late(at: settings.place)
            return transactions.map { _ in .failure(error) }
        }
        let replies = transactions.map { operations in
            http.send(.put, isReading ? "txn?consistent" : "txn?", body: KVOperation.body(operations), within: left)
                .reply
        }
        let all = EventLoopFuture.whenAllComplete(replies, on: http.loop)
        guard let results = try? await all.get() else { return transactions.map { _ in .failure(CancellationError()) } }
        if results.contains(where: { if case .success = $0 { true } else { false } }) { watch.tellInterruption() }
        return results.map { result in result.flatMap { reply in Result { try TransactionResult(reply) } } }
    }

    /// What came of one group's operations.
    enum Outcome: Sendable {
        /// With the entry as it is now.
        case applied(KVEntry)
        /// Nothing was changed, for a reason in Consul's words.
        case refused(String)
        case unknown(any Error)
    }

    /// Carries out changes of keys, in as few transactions as they fit in; one that is refused does not keep the others
    /// of its transaction from being tried again without it.
    func apply(
        _ changes: [(key: String, operations: [KVOperation])],
        until deadline: ElectionInstant
    ) async -> [Outcome] {
        var outcomes = [Outcome?](repeating: nil, count: changes.count)
        while true {
            let open = outcomes.indices.filter { outcomes[$0] == nil }
            guard !open.isEmpty else { break }
            var chunks: [(changes: [Int], size: Int)] = []
            for change in open {
                let size = changes[change].operations.count
                if let last = chunks.last, last.size + size <= ConsulHTTP.operationsPerTransaction {
                    chunks[chunks.count - 1].changes.append(change)
                    chunks[chunks.count - 1].size += size
                } else {
                    chunks.append(([change], size))
                }
            }
            let results = await transact(
                chunks.map { $0.changes.flatMap { changes[$0].operations } },
                until: deadline
            )
            for (chunk, result) in zip(chunks, results) {
                Self.settle(chunk.changes, of: changes, by: result, &outcomes)
            }
        }
        return outcomes.compactMap(\.self)
    }

    private static func settle(
        _ chunk: [Int],
        of changes: [(key: String, operations: [KVOperation])],
        by result: Result<TransactionResult, any Error>,
        _ outcomes: inout [Outcome?]
    ) {
        switch result {
        case .failure(let error): for change in chunk { outcomes[change] = .unknown(error) }
        case .success(let result) where result.failures.isEmpty:
            var entries: [String: KVEntry] = [:]
            for entry in result.entries { entries[entry.key] = entry }
            for change in chunk {
                outcomes[change] =
                    entries[changes[change].key].map { .applied($0) }
                    ?? .unknown(ElectionError(.storeCorrupted, "Consul does not tell what it wrote"))
            }
        case .success(let result):
            let owners = chunk.flatMap { change in changes[change].operations.map { _ in change } }
            var isAnyRefused = false
            for failure in result.failures where owners.indices.contains(failure.operation) {
                isAnyRefused = true
                let change = owners[failure.operation]
                // The last one of a group tells most: whether the key is locked, or the session has ended.
                outcomes[change] = .refused(failure.text)
            }
            if !isAnyRefused { for change in chunk { outcomes[change] = .refused(result.failures[0].text) } }
        }
    }
}
#endif
