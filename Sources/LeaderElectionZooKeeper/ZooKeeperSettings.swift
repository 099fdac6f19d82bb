// SPDX-License-Identifier: MIT
#if ZooKeeper
internal import LeaderElection
public import Logging

/// Where the ensemble is, and where in it the elections are.
public struct ZooKeeperSettings: Sendable {
    /// `host:port,host:port`.
    public let servers: String
    /// The path below which the groups are: one or more names, without a slash at its end.
    public let root: String
    /// A user of the scheme `digest`; only this user can then use the nodes that are made.
    public let credentials: ZooKeeperCredentials?
    /// The lease of all groups; nil for the lease that is asked for first.
    public let sessionTimeout: Duration?
    /// What the servers' configuration says.
    ///
    /// A lease must have three of them at least. A value that is too small makes the deadline of a lease less than
    /// certain if a server fails.
    public let tickTime: Duration
    /// Whose candidates are to stand in one queue with ours.
    public let naming: ZooKeeperQueueNaming
    /// Whether to make the root path if it is missing.
    public let createRoot: Bool
    /// Told what weakens the guarantees.
    public let logger: Logger?

    /// All settings; those that are not named have the usual values.
    ///
    /// - Throws: ``/LeaderElection/ElectionError/Code/invalidConfiguration`` for a value that cannot be used.
    public init(
        servers: String,
        root: String,
        credentials: ZooKeeperCredentials? = nil,
        sessionTimeout: Duration? = nil,
        tickTime: Duration = .seconds(2),
        naming: ZooKeeperQueueNaming = .kazoo,
        createRoot: Bool = true,
        logger: Logger? = nil
    ) throws {
        self.servers = try Self.checkedServers(servers)
        self.root = try Self.checkedRoot(root)
        self.credentials = credentials
        self.sessionTimeout = sessionTimeout
        self.tickTime = tickTime
        self.naming = naming
        self.createRoot = createRoot
        self.logger = logger
        if let credentials, credentials.user.isEmpty || credentials.user.contains(":") {
            throw Self.invalid("the user's name for digest is empty or holds a colon; choose another user")
        }
        guard tickTime >= .milliseconds(10), tickTime <= .seconds(60) else {
            throw Self.invalid(
                "tickTime \(tickTime.text()) is out of range; give the tickTime of the servers' configuration"
            )
        }
        if let sessionTimeout {
            guard sessionTimeout >= tickTime * 3, sessionTimeout <= .seconds(86_400) else {
                throw Self.invalid(
                    "sessionTimeout \(sessionTimeout.text()) is out of range; use at least three times the servers' "
                        + "tickTime of \(tickTime.text())"
                )
            }
        }
    }

    func path(_ group: ElectionGroup) -> String { "\(root)/\(GroupPath.encode(group))" }

    func path(_ group: ElectionGroup, _ node: String) -> String { "\(path(group))/\(node)" }

    /// The root's own nodes, the upper ones first.
    var rootChain: [String] {
        var chain: [String] = []
        for name in root.split(separator: "/") { chain.append((chain.last ?? "") + "/" + name) }
        return chain
    }

    private static func checkedServers(_ text: String) throws -> String {
        var servers: [String] = []
        for part in text.split(separator: ",", omittingEmptySubsequences: false) {
            let isBracketed = part.hasPrefix("[")
            let colon = isBracketed ? part.lastIndex(of: "]").map { part.index(after: $0) } : part.firstIndex(of: ":")
            let host = colon.map { part[..<$0] } ?? part
            let rest = colon.map { part[$0...] } ?? ""
            let port = rest.isEmpty ? 2181 : Int(rest.dropFirst())
            guard !host.isEmpty, rest.isEmpty || rest.hasPrefix(":"), let port, (1...65_535).contains(port),
                host.utf8.allSatisfy({ $0 > 0x20 && $0 < 0x7F && !"/?#@".utf8.contains($0) })
            else {
                throw invalid("the list of servers cannot be read; use host:port,host:port, as in zk1:2181,zk2:2181")
            }
            servers.append("\(host):\(port)")
        }
        return servers.joined(separator: ",")
    }

    private static func checkedRoot(_ text: String) throws -> String {
        let names = text.split(separator: "/")
        let isAllowed = names.allSatisfy { name in
            name != "." && name != ".."
                && name.unicodeScalars.allSatisfy {
                    $0.value >= 0x20 && $0.value < 0xD800 && !(0x7F...0x9F).contains($0.value)
                }
        }
        guard text.hasPrefix("/"), !names.isEmpty, isAllowed, names[0] != "zookeeper" else {
            throw invalid(
                "the root path cannot be used; use one or more names behind slashes, such as /elections, "
                    + "and not /zookeeper, which belongs to the servers"
            )
        }
        return "/" + names.joined(separator: "/")
    }

    static func invalid(_ message: String) -> ElectionError { ElectionError(.invalidConfiguration, message) }
}
#endif
