// SPDX-License-Identifier: MIT

internal import CBenchmark
internal import LeaderElection

/// What one look at `isLeader` costs, beside the clock readings that it is made of.
enum ReadBenchmark {
    static func run(_ options: Options, _ report: inout Report) async throws {
        Report.heading("Reading (each sample is the mean of \(options.readsPerSample) reads)")
        report.add("boot clock, one reading", clock(options, benchmark_boot_clock), unit: "ns")
        report.add("coarse wall clock, one reading", clock(options, benchmark_coarse_clock), unit: "ns")

        let election = try ElectionService(
            "read",
            provider: InMemoryElectionProvider(store: InMemoryElectionStore()),
            configuration: ElectionConfiguration(leaseDuration: .seconds(60))
        )
        let follower = try ElectionService(
            "read",
            provider: InMemoryElectionProvider(store: InMemoryElectionStore()),
            configuration: ElectionConfiguration(leaseDuration: .seconds(60))
        )
        let (leading, idle, term, allocations) = try await withElection(election) { election in
            let leadership = try await election.waitForLeadership()
            // A second in which the tasks of the start come to rest, so that only reads are counted.
            try await Task.sleep(for: .seconds(1))
            let leading = measure(options) { election.isLeader }
            let idle = measure(options) { !follower.isLeader }
            let term = measure(options) { leadership.isValid }
            benchmark_count_allocations()
            _ = time(1_000_000) { election.isLeader }
            return (leading, idle, term, benchmark_allocations())
        }
        report.add("isLeader while leading", leading, unit: "ns", target: 60)
        report.add("isLeader while not leading", idle, unit: "ns", target: 60)
        report.add("leadership.isValid while leading", term, unit: "ns")
        report.add("allocations in 1,000,000 reads", Samples([Double(allocations)]), unit: "count", target: 0)
    }

    private static func clock(_ options: Options, _ read: (Int64) -> Int64) -> Samples {
        Samples(
            (0..<options.readSamples).map { _ in
                Double(read(Int64(options.readsPerSample))) / Double(options.readsPerSample)
            }
        )
    }

    private static func measure(_ options: Options, _ read: () -> Bool) -> Samples {
        Samples((0..<options.readSamples).map { _ in time(options.readsPerSample, read) })
    }

    private static func time(_ count: Int, _ read: () -> Bool) -> Double {
        let clock = SystemClock()
        var positive = 0
        let start = clock.now
        for _ in 0..<count where read() { positive += 1 }
        let elapsed = start.duration(to: clock.now)
        precondition(positive == count, "leadership changed while it was measured")
        return elapsed.nanoseconds / Double(count)
    }
}

extension Duration {
    var nanoseconds: Double { Double(components.seconds) * 1e9 + Double(components.attoseconds) / 1e9 }
    var milliseconds: Double { nanoseconds / 1e6 }
}
