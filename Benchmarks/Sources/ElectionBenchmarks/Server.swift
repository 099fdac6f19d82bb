// SPDX-License-Identifier: MIT

internal import Foundation
internal import LeaderElection
internal import LeaderElectionPostgres
internal import LeaderElectionRedis

/// A store over the network, as `scripts/bench` has started it.
enum Server: String, CaseIterable {
    case postgres
    case redis

    var name: String { self == .postgres ? "PostgreSQL" : "Redis" }

    /// Milliseconds: what the fastest client of the same store needs, measured on two cores.
    var handOver: Double { self == .postgres ? 1.1 : 1.9 }

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
        }
    }

    /// How often the server has been asked to run a statement or a script.
    func requests() throws -> Int {
        switch self {
        case .postgres:
            let text = try Self.script([
                "sql", "-c", "SELECT sum(calls) FROM pg_stat_statements WHERE query ~ '_lease'",
            ])
            return Int(text.split(separator: "\n").first ?? "") ?? 0
        case .redis:
            let text = try Self.script(["cli", "redis", "INFO", "commandstats"])
            return text.split(whereSeparator: \.isNewline).reduce(0) { sum, line in
                guard line.hasPrefix("cmdstat_eval") else { return sum }
                let calls = line.split(separator: "=").dropFirst().first?.prefix { $0 != "," } ?? ""
                return sum + (Int(calls) ?? 0)
            }
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
