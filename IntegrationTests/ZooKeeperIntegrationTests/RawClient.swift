// SPDX-License-Identifier: MIT
#if ZooKeeper
import CElectionZooKeeper
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

    /// Takes all rights of the node from everybody but that to read, or gives them back.
    ///
    /// Once some are taken nobody may give them back but who has the right to: that one is left.
    func letOnlyRead(_ path: String, isUndone: Bool = false) async throws {
        let rights = isUndone ? ZOO_PERM_ALL : ZOO_PERM_READ | ZOO_PERM_ADMIN
        guard let pointer = await store.session?.handle.pointer else { throw Failure(code: ZCLOSING.rawValue) }
        let code = "world".withCString { scheme in
            "anyone".withCString { id in
                let who = Id(scheme: UnsafeMutablePointer(mutating: scheme), id: UnsafeMutablePointer(mutating: id))
                var entry = ACL(perms: rights, id: who)
                return withUnsafeMutablePointer(to: &entry) { entry in
                    var list = ACL_vector(count: 1, data: entry)
                    return zoo_set_acl(pointer, path, -1, &list)
                }
            }
        }
        guard code == 0 else { throw Failure(code: code) }
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
