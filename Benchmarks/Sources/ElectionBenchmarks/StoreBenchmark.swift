// SPDX-License-Identifier: MIT

internal import Foundation
internal import LeaderElection

/// Hand-over between processes, over files, in SQLite, and on servers.
struct StoreBenchmark {
    let name: String
    let store: String
    /// Milliseconds.
    let target: Double
    /// Where the server is; nil for a store in files of its own.
    var url: String?
    /// Seconds from a kill to the next leader, where the end of a lease is not known to the millisecond.
    var crash: Double?

    func run(_ options: Options, _ report: inout Report) async throws {
        Report.heading("\(name): stop() of the leader to `acquired` of the next, in another process or the same")
        for waiting in options.waiting {
            let processes = min(waiting + 1, 21)
            let samples = try await handOvers(options.storeHandOvers, processes: processes, candidates: waiting + 1)
            let label = "\(name), \(waiting) waiting, \(processes) processes"
            report.add(label, samples, unit: "ms", target: target)
        }
        if url != nil { return try await serverCrashes(options, &report) }
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
                // Time for the candidate that took the place of the last one to settle down.
                try await Task.sleep(for: .milliseconds(60))
                fleet.children[leader]?.send("stop")
                let word = try await handOver(fleet)
                values.append(word.milliseconds)
                // Not before: it was not among those who waited.
                fleet.children[leader]?.send("join")
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

    /// Nobody tells a server that a process has died: the next one leads when the lease ends, and not much later.
    private func serverCrashes(_ options: Options, _ report: inout Report) async throws {
        Report.heading("\(name): kill -9 of the leader's process to `acquired` of the next, lease 3 s")
        for waiting in [2, 20] {
            var (times, late): ([Double], [Double]) = ([], [])
            try await withStore { path in
                let fleet = Fleet(store: store, path: path, lease: 3)
                defer { fleet.end() }
                var leader = try await start(fleet, waiting + 1, candidates: waiting + 1)
                for _ in 0..<options.serverCrashes {
                    _ = try await fleet.next { $0.kind == "renewed" && $0.worker == leader }
                    try await Task.sleep(for: .milliseconds(Int.random(in: 0..<900)))
                    let killed = SystemClock().now.nanoseconds
                    fleet.kill(leader)
                    let word = try await fleet.next { $0.kind == "acquired" }
                    // Valid for T(1 - 2 * 0.001) - max(100 ms, T/20) from the request on; the store holds it for T.
                    let end = (fleet.validUntil(leader) ?? 0) + 6_000_000 + 150_000_000
                    times.append(Double(word.instant - killed) / 1e9)
                    late.append(Double(word.instant - end) / 1e6)
                    leader = word.worker
                    let added = try fleet.start()
                    _ = try await fleet.next { $0.kind == "ready" && $0.worker == added }
                }
            }
            report.add("\(name), kill -9, \(waiting) waiting", Samples(times), unit: "s", target: crash)
            if crash != nil { continue }
            report.add("\(name), after the end of the lease", Samples(late), unit: "ms", target: 20)
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
        if let url { return try await body(url) }
        return try await withTemporaryDirectory { directory in
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
