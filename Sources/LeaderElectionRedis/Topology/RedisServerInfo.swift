// SPDX-License-Identifier: MIT
#if Redis

/// What a server said of itself when a connection was made; nil where it would not tell.
struct RedisServerInfo: Sendable, Hashable {
    /// Tells the connections of this process apart.
    struct ConnectionID: Sendable, Hashable {
        let number: UInt64
    }

    enum Role: String, Sendable, Hashable {
        case primary = "master"
        case replica = "slave"
    }

    /// The connection over which it was learned.
    var connection: ConnectionID
    /// Host and port, or the socket's path, for people.
    var address: String
    /// A new one at each start of the server.
    var runID: String?
    /// The history of its data; a new one when a replica is promoted.
    var replicationID: String?
    var role: Role?
    /// `redis` or `valkey`; the version is the server's own, not the one it claims compatibility with.
    var product = "redis"
    var version: String?
    /// Whether it is part of a cluster.
    var isClusterMember = false
    /// How long it had been up, in whole seconds, when it was asked.
    var uptime: Duration?
    var maxMemoryPolicy: String?
    /// The bound of its memory in bytes; 0 if there is none.
    var maxMemory: Int64?
    /// Whether it writes an append-only file.
    var isAppendOnly: Bool?
    /// Replicas that were connected.
    var connectedReplicas: Int?
    /// Whether a change since the last snapshot would be lost; changes since then, as the server counted them.
    var changesSinceSnapshot: Int64?
    /// Every other field of `INFO`, by its name there.
    var fields: [String: String] = [:]
}
#endif
