// SPDX-License-Identifier: MIT

internal import Foundation
internal import LeaderElection

/// What it costs a database to keep a thousand groups: transactions in a round of renewals.
enum RoundsBenchmark {
    static func run(_ options: Options, _ report: inout Report) async throws {
        let groups = 1000
        Report.heading("SQLite, \(groups) groups led by one process, lease 15 s")
        try await withTemporaryDirectory { directory in
            let path = directory + "/election.db"
            let fleet = Fleet(store: "sqlite", path: path, groups: groups, lease: 15)
            defer { fleet.end() }
            let start = SystemClock().now
            try fleet.start()
            _ = try await fleet.next { $0.kind == "ready" }
            let acquired = start.duration(to: SystemClock().now)
            let count = options.isQuick ? 3 : 6
            _ = try await fleet.next { $0.kind == "renewed" }
            // Between two rounds, so that a whole round is counted.
            try await Task.sleep(for: .seconds(1))
            let before = try transactions(path)
            for _ in 0..<count { _ = try await fleet.next { $0.kind == "renewed" } }
            try await Task.sleep(for: .seconds(1))
            let rounds = Double(try transactions(path) &- before) / Double(count)
            report.add("process start until all are led", Samples([acquired.milliseconds]), unit: "ms")
            report.add("transactions in a round of renewals", Samples([rounds]), unit: "count", target: 4)
        }
    }

    /// Transactions committed since the write-ahead log was opened: the `iChange` counter of its index.
    ///
    /// Read from the file, which is harmless in a process that does not use the database. Source: "WAL-mode File
    /// Format" of the SQLite documentation, section 2.1.
    private static func transactions(_ path: String) throws -> UInt32 {
        let file = try FileHandle(forReadingFrom: URL(fileURLWithPath: path + "-shm"))
        defer { try? file.close() }
        let header = try file.read(upToCount: 12) ?? Data()
        return header.dropFirst(8).reversed().reduce(0) { $0 << 8 | UInt32($1) }
    }
}
