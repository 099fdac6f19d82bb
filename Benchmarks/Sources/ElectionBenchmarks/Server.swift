// SPDX-License-Identifier: MIT

internal import Foundation
internal import LeaderElection
internal import LeaderElectionConsul
internal import LeaderElectionPostgres
internal import LeaderElectionRedis
internal import LeaderElectionZooKeeper

/// A store over the network, as `scripts/bench` has started it.
enum Server: String, CaseIterable {
    case postgres
    case redis
    case zookeeper
    case consul

    var name: String {
        switch self {
        case .postgres: "PostgreSQL"
        case .redis: "Redis"
        case .zookeeper: "ZooKeeper"
        case .consul: "Consul"
        }
    }

    /// Milliseconds: what the fastest client of the same store needs, measured on two cores.
    var handOver: Double {
        switch self {
        case .postgres: 1.1
        case .redis: 1.9
        case .zookeeper: 5.8
        case .consul: 6.6
        }
    }

    /// Seconds from a kill to the next leader where the store does not end leases to the millisecond: lease, tick, 20 ms.
    ///
    /// On Consul a short lease is watched from outside: from its last change for the whole lease and a margin for clocks.
    var crash: Double? {
        switch self {
        case .postgres, .redis: nil
        case .zookeeper: 3.22
        case .consul: 3.2
        }
    }

    /// Milliseconds in which ten thousand groups are to be led.
    var acquiringAll: Double { crash == nil ? 2000 : 5000 }

    func url() throws -> String {
        let variable = "ELECTION_\(rawValue.uppercased())_URL"
        guard let url = ProcessInfo.processInfo.environment[variable], !url.isEmpty else {
            throw Usage(description: "\(variable) is not set; use scripts/bench, or: eval \"$(scripts/servers env)\"")
        }
        return url
    }

    func provider() throws -> any ElectionProvider {
        switch self {
        case .postgres: try PostgresElectionProvider(try url())
        case .redis: try RedisElectionProvider(url: try url())
        case .zookeeper: try ZooKeeperElectionProvider(try url())
        case .consul: try ConsulElectionProvider(try url())
        }
    }

    /// How often the server has been asked to run a statement or a script; nil where it does not count.
    func requests() throws -> Int? {
        switch self {
        case .postgres:
            let text = try Self.script([
                "sql", "-c",
                // How many listen is looked up now and then, and has the name in it.
                "SELECT sum(calls) FROM pg_stat_statements WHERE query ~ '_lease' AND query !~ 'pg_locks'",
            ])
            return Int(text.split(separator: "\n").first ?? "") ?? 0
        case .redis:
            let text = try Self.script(["cli", "redis", "INFO", "commandstats"])
            return text.split(whereSeparator: \.isNewline).reduce(0) { sum, line in
                guard line.hasPrefix("cmdstat_eval") else { return sum }
                let calls = line.split(separator: "=").dropFirst().first?.prefix { $0 != "," } ?? ""
                return sum + (Int(calls) ?? 0)
            }
        case .zookeeper:
            let address = try url().split(separator: "/").dropFirst().first?.replacing(":", with: "/") ?? ""
            let text = try Self.output(
                "bash",
                [
                    "-c", "exec 3<>/dev/tcp/\(address) && printf srvr >&3 && sed -n 's/^Received: //p' <&3",
                ]
            )
            return Int(text.split(separator: "\n").first ?? "") ?? 0
        case .consul: return nil
        }
    }

    /// What a program prints; its errors go where ours go.
    static func output(_ program: String, _ arguments: [String], environment: [String: String] = [:]) throws -> String {
        let process = Process()
        process.executableURL = URL(fileURLWithPath: "/usr/bin/env")
        process.arguments = [program] + arguments
        process.environment = ProcessInfo.processInfo.environment.merging(environment) { $1 }
        process.standardInput = FileHandle.nullDevice
        let pipe = Pipe()
        process.standardOutput = pipe
        try process.run()
        let data = try pipe.fileHandleForReading.readToEnd() ?? Data()
        process.waitUntilExit()
        guard process.terminationStatus == 0 else {
            throw Usage(description: "\(program) \(arguments.first ?? "") failed")
        }
        return String(decoding: data, as: UTF8.self)
    }

    @discardableResult
    static func script(_ arguments: [String]) throws -> String { try output("scripts/servers", arguments) }
}
