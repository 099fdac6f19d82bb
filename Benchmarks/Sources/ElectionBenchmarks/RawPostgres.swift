// SPDX-License-Identifier: MIT

internal import Foundation

/// pgbench with the statements that the server logged during one acquisition and release.
struct RawPostgres: RawClient {
    let name = "pgbench"
    private let group: String
    private let script: String
    /// Whether the server is to plan each statement once or again and again, as the provider has it.
    private let isPrepared: Bool

    init(group: String, _ pair: () async throws -> Void) async throws {
        self.group = group
        try Self.logging("all")
        let before = try Server.script(["logs", "postgres"]).utf8.count
        try await pair()
        // What is logged is written before the next answer.
        try Self.logging("none")
        let log = String(decoding: try Server.script(["logs", "postgres"]).utf8.dropFirst(before), as: UTF8.self)
        isPrepared = !log.contains("LOG:  execute <unnamed>")
        script = try Self.statements(log).filter { $0.contains(group) }.joined(separator: ";\n") + ";\n"
        guard script.contains("INSERT"), script.contains("NULL") else {
            throw Usage(description: "the server's log does not show the statements of an acquisition")
        }
    }

    private static func logging(_ what: String) throws {
        try Server.script(["sql", "-c", "ALTER SYSTEM SET log_statement = '\(what)'"])
        try Server.script(["sql", "-c", "SELECT pg_reload_conf()"])
        // Every process of the server reads its settings in its own time.
        while try Server.script(["sql", "-c", "SHOW log_statement"]).split(separator: "\n").first != what[...] {}
        usleep(200_000)
    }

    /// Statements with their parameters put in; a release takes the lease of its nonce in whatever term.
    private static func statements(_ log: String) throws -> [String] {
        var found: [String] = []
        var statement: String?
        // Lines that go on begin with a tab.
        let entries = log.replacingOccurrences(of: "\npostgres: \t", with: "\n").components(separatedBy: "\npostgres: ")
        for entry in entries {
            if let range = entry.range(of: "LOG:  execute [^:]*: ", options: .regularExpression) {
                statement = String(entry[range.upperBound...])
            } else if let range = entry.range(of: "DETAIL:  parameters: "), let text = statement {
                found.append(fill(text, entry[range.upperBound...]))
                statement = nil
            }
        }
        return found
    }

    /// `$1 = 'text', $2 = NULL, …` as the log has it: a quote within is doubled.
    private static func fill(_ statement: String, _ parameters: Substring) -> String {
        var values: [String] = []
        var rest = parameters[...]
        while let range = rest.range(of: #"^(, )?\$[0-9]+ = ('([^']|'')*'|NULL)"#, options: .regularExpression) {
            let text = rest[range]
            rest = rest[range.upperBound...]
            if let sign = text.range(of: " = ") { values.append(String(text[sign.upperBound...])) }
        }
        let isRelease = statement.contains("nonce = NULL")
        var result = statement
        for (index, value) in values.enumerated().reversed() {
            let isTerm = isRelease && value.range(of: #"^'[0-9]{13}'$"#, options: .regularExpression) != nil
            result = result.replacingOccurrences(of: "$\(index + 1)", with: isTerm ? "NULL" : value)
        }
        return result
    }

    private func term() throws -> Int {
        let text = "SELECT term FROM leader_election_lease WHERE grp = '\(group)'"
        return Int(try Server.script(["sql", "-c", text]).split(separator: "\n").first ?? "") ?? 0
    }

    func pairs(_ count: Int) throws -> [Double] {
        let file = FileManager.default.temporaryDirectory.appendingPathComponent("bench-\(getpid()).sql")
        let log = FileManager.default.temporaryDirectory.appendingPathComponent("bench-\(getpid())-log")
        defer { try? FileManager.default.removeItem(at: file) }
        try script.write(to: file, atomically: true, encoding: .utf8)
        let mode = isPrepared ? "prepared" : "extended"
        let options = ["-n", "-M", mode, "-c", "1", "-t", "\(count)", "-f", file.path, "-l", "--log-prefix", log.path]
        let before = try term()
        _ = try Server.output("pgbench", options + [try Server.postgres.url()])
        // Each acquisition was one, in a term of its own.
        guard try term() - before >= count else { throw Usage(description: "pgbench was not granted each lease") }
        let directory = FileManager.default.temporaryDirectory
        var times: [Double] = []
        for name in try FileManager.default.contentsOfDirectory(atPath: directory.path)
        where name.hasPrefix(log.lastPathComponent) {
            let path = directory.appendingPathComponent(name)
            let text = try String(contentsOf: path, encoding: .utf8)
            times += text.split(separator: "\n").compactMap {
                Double($0.split(separator: " ").dropFirst(2).first ?? "")
            }
            try FileManager.default.removeItem(at: path)
        }
        return times
    }
}
