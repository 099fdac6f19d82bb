// SPDX-License-Identifier: MIT
#if Redis
internal import LeaderElection

/// What stands behind a provider: servers that act as one, or a quorum of independent ones.
protocol RedisElection: Sendable {
    /// The keys of each server that takes part.
    var stores: [RedisLeaseStore] { get }
    func acquire(_ requests: [AcquireRequest], until deadline: ElectionInstant) async throws -> [AcquireAnswer]
    func renew(_ requests: [RenewRequest], until deadline: ElectionInstant) async throws -> [RenewAnswer]
    func release(_ requests: [ReleaseRequest], until deadline: ElectionInstant) async throws -> [ReleaseAnswer]
    func holders(of groups: [ElectionGroup], until deadline: ElectionInstant) async throws -> [HolderAnswer]
    func transfer(_ requests: [TransferRequest], until deadline: ElectionInstant) async throws -> [TransferAnswer]
    func write(_ requests: [NoteRequest], until deadline: ElectionInstant) async throws -> [NoteAnswer]
    func remove(_ requests: [NoteRemoval], until deadline: ElectionInstant) async throws -> [NoteAnswer]
    func notes(of groups: [ElectionGroup], until deadline: ElectionInstant) async throws -> [NotesAnswer]
    func hints(_ receive: @escaping @Sendable (ProviderHint) -> Void) -> any HintSubscription
    func close()
}

/// One server, one that sentinels know, or a cluster.
struct RedisServers: RedisElection {
    /// Larger calls are split, so that no script keeps the server from others for long.
    static let maximumBatch = 256

    let topology: any RedisTopology
    let stores: [RedisLeaseStore]
    private let listeners: RedisHints

    init(topology: any RedisTopology, keys: [LeaseKeys], shared: RedisLeaseStore.Shared) {
        self.topology = topology
        stores = keys.map { RedisLeaseStore(topology: topology, keys: $0, shared: shared) }
        listeners = RedisHints(stores: stores, shared: shared)
    }

    func acquire(_ requests: [AcquireRequest], until deadline: ElectionInstant) async throws -> [AcquireAnswer] {
        listeners.join(requests.lazy.map(\.group))
        return try await split(requests, by: \.group, unknown: { .unknown($0) }) { store, requests in
            let (statuses, reply) = try await store.acquire(requests, until: deadline)
            return try zip(requests, statuses).map { request, status in
                switch status {
                case .granted(let term): .granted(term: term, leaseDuration: request.leaseDuration)
                case .held(let record): .held(record)
                case .deferred(let delay): .deferred(retryAfter: delay, reason: RedisNotices.reason(reply))
                case .refused(let error): .unknown(error)
                case .free, .lost, .outdated: throw LeaseReply.malformed
                }
            }
        }
    }

    func renew(_ requests: [RenewRequest], until deadline: ElectionInstant) async throws -> [RenewAnswer] {
        try await split(requests, by: \.group, unknown: { .unknown($0) }) { store, requests in
            try await store.renew(requests, until: deadline)
        }
    }

    func release(_ requests: [ReleaseRequest], until deadline: ElectionInstant) async throws -> [ReleaseAnswer] {
        try await split(requests, by: \.group, unknown: { .unknown($0) }) { store, requests in
            try await store.release(requests, until: deadline)
        }
    }

    func holders(of groups: [ElectionGroup], until deadline: ElectionInstant) async throws -> [HolderAnswer] {
        try await split(groups, by: \.self, unknown: { .unknown($0) }) { store, groups in
            let (statuses, _) = try await store.read(groups, until: deadline)
            return try statuses.map { status in
                switch status {
                case .held(let record): .held(record)
                case .free(let lastTerm): .free(lastTerm: lastTerm > 0 ? lastTerm : nil)
                case .refused(let error): .unknown(error)
                case .granted, .lost, .deferred, .outdated: throw LeaseReply.malformed
                }
            }
        }
    }

    func transfer(_ requests: [TransferRequest], until deadline: ElectionInstant) async throws -> [TransferAnswer] {
        try await split(requests, by: \.group, unknown: { .unknown($0) }) { store, requests in
            try await store.transfer(requests, until: deadline)
        }
    }

    func write(_ requests: [NoteRequest], until deadline: ElectionInstant) async throws -> [NoteAnswer] {
        try await split(requests, by: \.group, unknown: { .unknown($0) }) { store, requests in
            try await store.write(requests, until: deadline)
        }
    }

    func remove(_ requests: [NoteRemoval], until deadline: ElectionInstant) async throws -> [NoteAnswer] {
        try await split(requests, by: \.group, unknown: { .unknown($0) }) { store, requests in
            try await store.remove(requests, until: deadline)
        }
    }

    func notes(of groups: [ElectionGroup], until deadline: ElectionInstant) async throws -> [NotesAnswer] {
        try await split(groups, by: \.self, unknown: { .unknown($0) }) { store, groups in
            try await store.notes(of: groups, until: deadline)
        }
    }

    func hints(_ receive: @escaping @Sendable (ProviderHint) -> Void) -> any HintSubscription {
        listeners.add(receive)
    }

    func close() { topology.close() }

    /// Carries out a call for the groups of each store, all stores at once, and puts the answers in order.
    private func split<Request: Sendable, Answer: Sendable>(
        _ requests: [Request],
        by group: @Sendable (Request) -> ElectionGroup,
        unknown: @Sendable (any Error) -> Answer,
        _ call: @escaping @Sendable (RedisLeaseStore, [Request]) async throws -> [Answer]
    ) async throws -> [Answer] {
        guard !requests.isEmpty else { return [] }
        if stores.count == 1, requests.count <= Self.maximumBatch { return try await call(stores[0], requests) }
        var batches: [(store: Int, indices: [Int])] = []
        var open: [Int: Int] = [:]
        for (index, request) in requests.enumerated() {
            let store = stores.count == 1 ? 0 : LeaseKeys.part(of: group(request), among: stores.count)
            if let batch = open[store], batches[batch].indices.count < Self.maximumBatch {
                batches[batch].indices.append(index)
            } else {
                open[store] = batches.count
                batches.append((store, [index]))
            }
        }
        var answers: [Answer?] = Array(repeating: nil, count: requests.count)
        await withTaskGroup(of: (Int, Result<[Answer], any Error>).self) { tasks in
            for (number, batch) in batches.enumerated() {
                let (store, part) = (stores[batch.store], batch.indices.map { requests[$0] })
                tasks.addTask {
                    do { return (number, .success(try await call(store, part))) } catch {
                        return (number, .failure(error))
                    }
                }
            }
            for await (number, result) in tasks {
                let indices = batches[number].indices
                switch result {
                case .success(let part): for (index, answer) in zip(indices, part) { answers[index] = answer }
                case .failure(let error): for index in indices { answers[index] = unknown(error) }
                }
            }
        }
        return answers.map { $0 ?? unknown(LeaseReply.malformed) }
    }
}
#endif
