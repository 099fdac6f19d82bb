// SPDX-License-Identifier: MIT

internal import CBenchmark
internal import LeaderElection

/// Ten thousand groups led by one process, with nothing to do but renew.
enum ManyGroupsBenchmark {
    static func run(_ options: Options, _ report: inout Report) async throws {
        let count = options.manyGroups
        Report.heading(
            "\(count) groups led by one process in memory, lease 15 s, observed for \(options.idleSeconds) s"
        )
        let provider = InMemoryElectionProvider(store: InMemoryElectionStore())
        let clock = SystemClock()
        let before = benchmark_resident_bytes()
        let start = clock.now
        let elections = try (0..<count).map {
            try ElectionService(
                "group-\($0)",
                provider: provider,
                configuration: ElectionConfiguration(candidate: "benchmark", leaseDuration: .seconds(15))
            )
        }
        try await withThrowingDiscardingTaskGroup { tasks in
            for election in elections { tasks.addTask { try await election.run() } }
            while !elections.allSatisfy(\.isLeader) { try await Task.sleep(for: .milliseconds(1)) }
            let acquired = start.duration(to: clock.now)
            // Two renewals, so that what they allocate once is there.
            try await Task.sleep(for: .seconds(10))
            let memory = benchmark_resident_bytes() - before
            let busy = benchmark_processor_nanoseconds()
            let began = clock.now
            try await Task.sleep(for: .seconds(options.idleSeconds))
            let share = Double(benchmark_processor_nanoseconds() - busy) / began.duration(to: clock.now).nanoseconds
            let held = elections.count { $0.isLeader }
            for election in elections { election.stop() }
            report.add("from init until all are led", Samples([acquired.milliseconds]), unit: "ms")
            report.add("processor time, share of one core", Samples([share * 100]), unit: "%", target: 5)
            report.add("memory a group", Samples([Double(memory) / Double(count) / 1024]), unit: "KiB", target: 10)
            report.add("groups lost meanwhile", Samples([Double(count - held)]), unit: "count", target: 0)
        }
    }
}
