// SPDX-License-Identifier: MIT
#if Redis
internal import LeaderElection
public import NIOSSL

/// Where the Redis or Valkey servers are, and how to get in.
public struct RedisSettings: Sendable {
    /// One place to connect to.
    public enum Address: Hashable, Sendable {
        /// A name or an IP address, and a port.
        case host(String, port: Int)
        /// The path of a Unix socket.
        case socket(path: String)
    }

    /// How the servers belong together.
    public enum Arrangement: Hashable, Sendable {
        /// One server; what may be replicated behind it is its own affair.
        case single(Address)
        /// Sentinels that know which server is the primary of the given name.
        case sentinel([Address], primary: String)
        /// Some of the nodes of one cluster; the others are learned from them.
        case cluster([Address])
        /// Servers that know nothing of each other, a majority of which decides.
        case quorum([Address])
    }

    /// How the servers belong together, and where they are.
    public var arrangement: Arrangement
    /// The user to log in as; nil for the default user.
    public var username: String?
    /// The password of the user, or of the server where it knows no users.
    public var password: String?
    /// The user to log in as at sentinels.
    public var sentinelUsername: String?
    /// The password for sentinels.
    public var sentinelPassword: String?
    /// The number of the database; a cluster has only 0.
    public var database: Int
    /// How to encrypt; nil for plain connections.
    public var tls: TLSConfiguration?
    /// The name that a server's certificate must bear and that is sent to it, where that is not the host's.
    public var tlsServerName: String?
    /// What a connection is called in the server's list of clients.
    public var clientName: String
    /// How long making a connection may take in all: look-up of the name, TLS, and login.
    public var connectTimeout: Duration

    /// Settings without a password and without encryption; change them as needed.
    public init(_ arrangement: Arrangement) {
        self.arrangement = arrangement
        database = 0
        clientName = "leader-election"
        connectTimeout = .seconds(5)
    }

    /// One server.
    public init(host: String, port: Int = 6379) {
        self.init(.single(.host(host, port: port)))
    }
}

extension RedisSettings: CustomStringConvertible, CustomReflectable {
    /// Where the servers are; never a secret.
    public var description: String {
        switch arrangement {
        case .single(let address): "\(address)"
        case .sentinel(let addresses, let primary): "\(primary) of the sentinels \(Self.list(addresses))"
        case .cluster(let addresses): "the cluster of \(Self.list(addresses))"
        case .quorum(let addresses): "a majority of \(Self.list(addresses))"
        }
    }

    /// Keeps passwords out of dumps.
    public var customMirror: Mirror { Mirror(self, children: ["description": description]) }

    private static func list(_ addresses: [Address]) -> String {
        addresses.map(\.description).joined(separator: ", ")
    }
}

extension RedisSettings.Address: CustomStringConvertible {
    /// `host:port`, `[address]:port`, or the path.
    public var description: String {
        switch self {
        case .host(let host, let port): host.contains(":") ? "[\(host)]:\(port)" : "\(host):\(port)"
        case .socket(let path): path
        }
    }
}
#endif
