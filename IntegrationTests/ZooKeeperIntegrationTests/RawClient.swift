// SPDX-License-Identifier: MIT
#if ZooKeeper
import LeaderElection

@testable import LeaderElectionZooKeeper

/// A client that does what it is told.
actor RawClient {
    private let store: ZooKeeperStore

    struct Failure: Error { let code: Int32 }

    init(_ servers: String, credentials: ZooKeeperCredentials? = nil) async throws {
        store = ZooKeeperStore(
            try ZooKeeperSettings(
                servers: servers,
                root: "/tests",
                credentials: credentials,
                tickTime: .milliseconds(200)
            )
        )
        _ = await store.holders(of: [try ElectionGroup("nobody")])
    }

    deinit { store.thread.execute { [store] in store.assumeIsolated { $0.shutDown() } } }

    func delete(_ path: String) async throws { _ = try await run(.delete(path)) }

    func create(_ path: String) async throws { _ = try await run(.create(path, [], .persistent)) }

    func createCandidate(_ path: String) async throws -> String {
        try await run(.create(path, [], .candidate)).path ?? ""
    }

    func children(_ path: String) async throws -> [String] { try await run(.children(path, watch: nil)).children ?? [] }

    func stat(_ path: String) async throws -> NodeStat? { try await run(.get(path, watch: nil)).stat }

    func text(_ path: String) async throws -> String {
        String(decoding: try await run(.get(path, watch: nil)).data ?? [], as: UTF8.self)
    }

    private func run(_ operation: sending ZooKeeperOperation) async throws -> ZooKeeperReply {
        let reply = await store.run(operation)
        guard reply.code == 0 else { throw Failure(code: reply.code) }
        return reply
    }
}

extension ZooKeeperStore {
    var remains: Int { groups.count + handlers.count }
    var outstanding: Int { handlers.count + backlog.count + unhurried.count + unwatched.count }
    var groupCount: Int { groups.count }
    var watchCount: Int { watched.count }
    func node(of request: AcquireRequest) -> String? { groups[request.group]?.places[request.nonce]?.node?.name }

    func run(_ operation: sending ZooKeeperOperation) async -> ZooKeeperReply {
        await withCheckedContinuation { continuation in
            send(operation) { continuation.resume(returning: $0) }
        }
    }
}
#endif
