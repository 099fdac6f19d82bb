// SPDX-License-Identifier: MIT

internal import CBenchmark
internal import Glibc
internal import LeaderElection

benchmark_flush_lines()

do {
    let options = try Options(CommandLine.arguments.dropFirst())
    var report = Report()
    if options.includes("machine") { MachineBenchmark.run(options, &report) }
    if options.includes("read") { try await ReadBenchmark.run(options, &report) }
    if options.includes("memory") { try await MemoryBenchmark.run(options, &report) }
    if options.includes("many") { try await ManyGroupsBenchmark.run(options, &report) }
    print(report.missed.isEmpty ? "\nevery target met" : "\nmissed: \(report.missed.joined(separator: "; "))")
} catch {
    print("bench: \(error)")
    exit(1)
}
