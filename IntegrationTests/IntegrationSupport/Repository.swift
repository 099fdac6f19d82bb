// SPDX-License-Identifier: MIT

package import Foundation

/// Where things are in the checkout that the tests were built from.
package enum Repository {
    package static let root = URL(filePath: #filePath).deletingLastPathComponent().deletingLastPathComponent()
        .deletingLastPathComponent()

    /// Where `scripts/servers` keeps what it has.
    package static var servers: URL {
        if let given = ProcessInfo.processInfo.environment["ELECTION_SERVERS_DIR"], !given.isEmpty {
            return URL(filePath: given)
        }
        return root.appending(path: ".build/servers")
    }
}

extension Backend {
    /// Whether `scripts/servers` finds its programs without installing anything.
    var isInstalled: Bool {
        let files = FileManager.default
        func isInPath(_ program: String) -> Bool {
            let path = (ProcessInfo.processInfo.environment["PATH"] ?? "") + ":/usr/sbin:/usr/local/sbin"
            return path.split(separator: ":").contains { files.isExecutableFile(atPath: "\($0)/\(program)") }
        }
        let hasPostgres =
            isInPath("initdb")
            || ((try? files.contentsOfDirectory(atPath: "/usr/lib/postgresql")) ?? []).contains {
                files.isExecutableFile(atPath: "/usr/lib/postgresql/\($0)/bin/initdb")
            }
        switch self {
        case .postgres, .postgresStandby: return hasPostgres
        case .pgbouncer: return hasPostgres && isInPath("pgbouncer")
        case .valkey:
            let unpacked = Repository.servers.appending(path: "packages/valkey/usr/bin/valkey-server").path
            return isInPath("redis-cli") && (isInPath("valkey-server") || files.isExecutableFile(atPath: unpacked))
        case .zookeeper, .zookeeperEnsemble:
            return isInPath("java") && files.isReadableFile(atPath: "/usr/share/java/zookeeper.jar")
        case .consul, .consulTLS, .consulCluster:
            let unpacked = Repository.servers.appending(path: "packages/consul/usr/bin/consul").path
            return isInPath("consul") || files.isExecutableFile(atPath: unpacked)
        case .redis, .redisTLS, .redisSentinel, .redisCluster, .redisQuorum:
            return isInPath("redis-server") && isInPath("redis-cli")
        }
    }
}
