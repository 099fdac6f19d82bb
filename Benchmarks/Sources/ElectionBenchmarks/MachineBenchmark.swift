// SPDX-License-Identifier: MIT

internal import CBenchmark

/// What this machine can do at best, and how quiet it is: the other numbers cannot be better than these.
enum MachineBenchmark {
    static func run(_ options: Options, _ report: inout Report) async throws {
        Report.heading("The machine itself")
        report.add(
            "thread wakes thread and is woken, without a pause",
            trips(options.isQuick ? 2_000 : 20_000, 0),
            unit: "us"
        )
        report.add(
            "thread wakes thread and is woken, 5 ms apart",
            trips(options.isQuick ? 100 : 1_000, 5_000),
            unit: "us"
        )
        try await withTemporaryDirectory { directory in
            let count = options.isQuick ? 50 : 300
            let replaced = (0..<count).map { _ in Double(benchmark_replace_file(directory)) / 1e6 }
            let overwritten = (0..<count).map { _ in Double(benchmark_overwrite_file(directory)) / 1e6 }
            report.add("disk: new file, fsync, rename, fsync of directory", Samples(replaced), unit: "ms")
            report.add("disk: overwrite in place, fdatasync", Samples(overwritten), unit: "ms")
        }
    }

    private static func trips(_ count: Int, _ pause: Int32) -> Samples {
        var trips = [Int64](repeating: 0, count: count)
        benchmark_thread_round_trips(&trips, Int32(count), pause)
        return Samples(trips.map { Double($0) / 1000 })
    }
}
