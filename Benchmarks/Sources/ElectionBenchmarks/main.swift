// SPDX-License-Identifier: MIT

internal import CBenchmark
internal import Glibc
internal import LeaderElection

benchmark_flush_lines()

do {
    try await run()
} catch {
    print("bench: \(error)")
    exit(1)
}

/// Not on the main actor: its queue would be two more changes of thread in each call that is measured.
@concurrent
private func run() async throws {
    if CommandLine.arguments.dropFirst().first == "worker" {
        try await Worker(arguments: Array(CommandLine.arguments.dropFirst(2))).run()
        exit(0)
    }
    let options = try Options(CommandLine.arguments.dropFirst())
    var report = Report()
    if options.includes("machine") { try await MachineBenchmark.run(options, &report) }
    if options.includes("read") { try await ReadBenchmark.run(options, &report) }
    if options.includes("memory") { try await MemoryBenchmark.run(options, &report) }
    if options.includes("many") { try await ManyGroupsBenchmark.run(options, &report) }
    if options.includes("file") {
        try await StoreBenchmark(name: "files", store: "file", target: 1.5).run(options, &report)
    }
    if options.includes("sqlite") {
        try await StoreBenchmark(name: "SQLite", store: "sqlite", target: 5).run(options, &report)
    }
    if options.includes("rounds") { try await RoundsBenchmark.run(options, &report) }
    for server in Server.allCases where options.includes(server.rawValue) {
        try await StoreBenchmark(
            name: server.name,
            store: server.rawValue,
            target: server.handOver,
            url: server.url(),
            crash: server.crash
        ).run(options, &report)
        if [.postgres, .redis].contains(server) { try await RoundTripBenchmark(server: server).run(options, &report) }
        try await ServerGroupsBenchmark(server: server).run(options, &report)
    }
    if options.includes("soak") {
        for server in Server.allCases { try await ServerGroupsBenchmark(server: server).soak(options, &report) }
    }
    print(report.missed.isEmpty ? "\nevery target met" : "\nmissed: \(report.missed.joined(separator: "; "))")
}
