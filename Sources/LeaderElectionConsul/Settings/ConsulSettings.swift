// SPDX-License-Identifier: MIT
#if Consul
internal import LeaderElection
internal import Logging
internal import NIOSSL

/// Where the agent is, how to get in, and where in its key-value store the elections are.
struct ConsulSettings: Sendable {
    /// Consul keeps a key locked for at most so long after its session has ended.
    static var longestLockDelay: Duration { .seconds(60) }

    enum Address: Hashable, Sendable {
        case host(String, port: Int)
        case socket(path: String)
    }

    var address: Address
    /// One or more names with slashes between them, and one at the end.
    var prefix = "leader-election/"
    var tls: TLSConfiguration?
    var tlsServerName: String?
    var token: String?
    var datacenter: String?
    var namespace: String?
    var partition: String?
    var mode = ConsulMode.auto
    /// Nil for as long as the lease.
    var lockDelay: Duration?
    /// The shortest lease for which a session is used: the servers' `session_ttl_min`.
    var shortestSession = Duration.seconds(10)
    var logger: Logger?

    init(_ address: Address) { self.address = address }

    /// How people call the agent; holds no secret.
    var place: String {
        switch address {
        case .host(let host, let port): host.contains(":") ? "[\(host)]:\(port)" : "\(host):\(port)"
        case .socket(let path): path
        }
    }

    func usesSession(_ lease: Duration) -> Bool {
        switch mode {
        case .session: true
        case .cas: false
        case .auto: lease >= shortestSession
        }
    }

    func lockDelay(forLease lease: Duration) -> Duration { min(lockDelay ?? lease, Self.longestLockDelay) }

    var minimumLease: Duration { mode == .session ? shortestSession : .seconds(1) }
}
#endif
