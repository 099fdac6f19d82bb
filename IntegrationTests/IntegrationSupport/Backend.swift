// SPDX-License-Identifier: MIT

internal import Foundation
internal import Synchronization

/// A store that tests reach over the network: as `scripts/servers` and `docker-compose.yml` start it.
package enum Backend: String, CaseIterable, Sendable {
    case postgres
    case postgresStandby = "postgres-standby"
    case pgbouncer
    case redis
    case redisTLS = "redis-tls"
    case redisSentinel = "redis-sentinel"
    case redisCluster = "redis-cluster"
    case redisQuorum = "redis-quorum"
    case valkey
    case zookeeper
    case zookeeperEnsemble = "zookeeper-ensemble"
    case consul
    case consulTLS = "consul-tls"
    case consulCluster = "consul-cluster"

    /// The first port of the hundred that the common set has.
    static let portBase: UInt16 = 24000

    /// Where it is: what the environment says, else where `scripts/servers up` puts it.
    package var url: String {
        if let given = ProcessInfo.processInfo.environment[variable], !given.isEmpty { return given }
        return url(portBase: Self.portBase)
    }

    /// The variable of the environment that names another place.
    package var variable: String {
        let name = rawValue.uppercased().replacing("-", with: "_")
        return "ELECTION_\(name)_URL"
    }

    /// The ports within a set.
    package var offsets: [UInt16] {
        switch self {
        case .postgres: [32]
        case .postgresStandby: [33]
        case .pgbouncer: [42]
        case .redis: [79]
        case .redisTLS: [80]
        case .valkey: [81]
        case .redisSentinel: [65, 66, 67]
        case .redisCluster: [70, 71, 72]
        case .redisQuorum: [50, 51, 52, 53, 54]
        case .zookeeper: [20]
        case .zookeeperEnsemble: [21, 22, 23]
        case .consul: [0]
        case .consulTLS: [3]
        case .consulCluster: [11, 12, 13]
        }
    }

    func url(portBase: UInt16) -> String {
        let addresses = offsets.map { "127.0.0.1:\(portBase + $0)" }.joined(separator: ",")
        let port = portBase + offsets[0]
        return switch self {
        case .postgres, .postgresStandby, .pgbouncer:
            "postgres://elect:elect-secret@localhost:\(port)/elections"
        case .redis, .valkey: "redis://127.0.0.1:\(port)/0"
        case .redisTLS: "rediss://elect:elect-secret@localhost:\(port)/0?cacert=\(Self.certificateAuthority)"
        case .redisSentinel: "redis+sentinel://\(addresses)/elections/0"
        case .redisCluster: "redis+cluster://\(addresses)"
        case .redisQuorum: "redis+quorum://\(addresses)"
        case .zookeeper, .zookeeperEnsemble: "zookeeper://\(addresses)/elections?tickTime=200ms"
        case .consul, .consulCluster: "consul://127.0.0.1:\(port)/leader-election?lockDelay=1s"
        case .consulTLS:
            "consul+https://localhost:\(port)/leader-election?lockDelay=1s&token=\(Self.consulToken)"
                + "&cacert=\(Self.certificateAuthority)&cert=\(Self.tls("server.crt"))&key=\(Self.tls("server.key"))"
        }
    }

    /// The token of Consul's that may elect; the server takes no client without a certificate.
    package static var consulToken: String { "00000000-0000-0000-0000-00000000e1ec" }

    /// A file of the servers' certificates.
    package static func tls(_ name: String) -> String {
        URL(filePath: certificateAuthority).deletingLastPathComponent().appending(path: name).path
    }

    /// The certificate of the authority that signed the servers' own.
    package static var certificateAuthority: String {
        ProcessInfo.processInfo.environment["ELECTION_CA_FILE"]
            ?? Repository.servers.appending(path: "tls/ca.crt").path
    }

    /// Whether somebody listened at all of its addresses when this process first asked.
    ///
    /// It connects once: each test asks before the first one runs, and as many connections at once as there are tests
    /// overflow the queue of a server that is busy just then (ZooKeeper's holds 50), which then looks like no server.
    package var isReachable: Bool {
        Self.reachable.withLock { known in
            if let answer = known[self] { return answer }
            let addresses = NetworkAddress.all(in: url)
            let answer = !addresses.isEmpty && addresses.allSatisfy { $0.answers() }
            known[self] = answer
            return answer
        }
    }

    private static let reachable = Mutex<[Backend: Bool]>([:])

    /// Whether a missing server fails a test that needs it, as on a build machine; elsewhere the test is skipped.
    package static var areRequired: Bool {
        ProcessInfo.processInfo.environment["ELECTION_REQUIRE_BACKENDS"] == "1"
    }

    /// What to do about a server that is not there.
    package var howToStart: String { "nothing answers at \(place); start it with: scripts/servers up \(rawValue)" }

    /// The addresses without the secrets around them.
    private var place: String {
        NetworkAddress.all(in: url).map { "\($0.host):\($0.port)" }.joined(separator: ", ")
    }
}

/// A server that a test cannot do without.
package struct MissingBackend: Error, CustomStringConvertible {
    package var description: String
}
