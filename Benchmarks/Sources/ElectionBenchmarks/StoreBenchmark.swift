// SPDX-License-Identifier: MIT

internal import Foundation
internal import LeaderElection

/// Hand-over between processes, over files and in SQLite.
struct StoreBenchmark {
    let name: String
    let store: String
    /// Milliseconds.
    let target: Double

    func run(_ options: Options, _ report: inout Report) async throws {
        Report.heading("\(name): stop() of the leader to `acquired` of the next, in another process or the same")
        for waiting in options.waiting {
            let processes = min(waiting + 1, 21)
            let samples = try await handOvers(options.storeHandOvers, processes: processes, candidates: waiting + 1)
            let label = "\(name), \(waiting) waiting, \(processes) processes"
            report.add(label, samples, unit: "ms", target: target)
        }
        Report.heading("\(name): kill -9 of the leader's process to `acquired` of the next; one candidate a process")
        for waiting in [2, 20] {
            let samples = try await crashes(options.crashes, processes: waiting + 1)
            report.add("\(name), kill -9, \(waiting) waiting", samples, unit: "ms", target: 20)
        }
    }

    private func handOvers(_ count: Int, processes: Int, candidates: Int) async throws -> Samples {
        try await withStore { path in
            let fleet = Fleet(store: store, path: path)
            defer { fleet.end() }
            var leader = try await start(fleet, processes, candidates: candidates)
            var values: [Double] = []
            for _ in 0..<count {
                // Time for the candidate that takes the place of the last one to settle down.
                try await Task.sleep(for: .milliseconds(60))
                fleet.children[leader]?.send("stop")
                let word = try await handOver(fleet)
                values.append(word.milliseconds)
                leader = word.leader
            }
            return Samples(values)
        }
    }

    /// Both words, in whichever order they come.
    private func handOver(_ fleet: Fleet) async throws -> (leader: Int, milliseconds: Double) {
        var stopping: Int64?
        var acquired: Fleet.Word?
        while true {
            let word = try await fleet.next { $0.kind == "stopping" || $0.kind == "acquired" }
            if word.kind == "stopping" { stopping = word.instant } else { acquired = word }
            if let stopping, let acquired { return (acquired.worker, Double(acquired.instant - stopping) / 1e6) }
        }
    }

    private func crashes(_ count: Int, processes: Int) async throws -> Samples {
        try await withStore { path in
            let fleet = Fleet(store: store, path: path)
            defer { fleet.end() }
            var leader = try await start(fleet, processes, candidates: processes)
            var values: [Double] = []
            for _ in 0..<count {
                try await Task.sleep(for: .milliseconds(100))
                let killed = SystemClock().now
                fleet.kill(leader)
                let word = try await fleet.next { $0.kind == "acquired" }
                values.append(Double(word.instant - killed.nanoseconds) / 1e6)
                leader = word.worker
                let added = try fleet.start()
                _ = try await fleet.next { $0.kind == "ready" && $0.worker == added }
            }
            return Samples(values)
        }
    }

    /// Starts the processes and waits until each knows the leader; returns whose process leads.
    private func start(_ fleet: Fleet, _ processes: Int, candidates: Int) async throws -> Int {
        // The first hosts what is left over.
        let each = candidates / processes
        try fleet.start(candidates: candidates - (processes - 1) * each)
        for _ in 1..<processes { try fleet.start(candidates: each) }
        var leader: Int?
        var ready = 0
        while ready < processes || leader == nil {
            let word = try await fleet.next { $0.kind == "ready" || $0.kind == "acquired" }
            if word.kind == "ready" { ready += 1 } else { leader = word.worker }
        }
        return leader ?? 1
    }

    private func withStore<Result>(_ body: (String) async throws -> Result) async throws -> Result {
        try await withTemporaryDirectory { directory in
            try await body(store == "file" ? directory : directory + "/election.db")
        }
    }
}

/// A directory on the disk where temporary files are, removed afterwards.
func withTemporaryDirectory<Result>(_ body: (String) async throws -> Result) async throws -> Result {
    let directory = FileManager.default.temporaryDirectory.appendingPathComponent("election-bench-\(UUID().uuidString)")
    try FileManager.default.createDirectory(at: directory, withIntermediateDirectories: true)
    defer { try? FileManager.default.removeItem(at: directory) }
    return try await body(directory.path)
}
