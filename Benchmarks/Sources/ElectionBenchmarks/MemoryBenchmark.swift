// SPDX-License-Identifier: MIT

internal import CBenchmark
internal import LeaderElection

/// Hand-over between services of one process.
enum MemoryBenchmark {
    /// Time for the candidate that took the place of the last one to settle down.
    private static let pause = Duration.microseconds(500)
    /// By then the processor sleeps, and others have used its caches: what this adds is the machine's.
    private static let sleep = Duration.milliseconds(5)

    static func run(_ options: Options, _ report: inout Report) async throws {
        Report.heading("Hand-over in memory: stop() of the leader to `acquired` of the next")
        for isShared in [true, false] {
            for waiting in options.waiting {
                let label = "memory, \(waiting) waiting, \(isShared ? "one provider" : "a provider each")"
                for (pause, target) in [(Self.pause, 100.0), (Self.sleep, nil)] {
                    let samples = try await handOvers(waiting, isShared, pause, count: options.memoryHandOvers)
                    let rest = target == nil ? ", after \(Int(pause.milliseconds)) ms of sleep" : ""
                    report.add(label + rest, samples, unit: "us", target: target)
                }
            }
        }
    }

    private static func handOvers(
        _ waiting: Int,
        _ isShared: Bool,
        _ pause: Duration,
        count: Int
    ) async throws -> Samples {
        let store = InMemoryElectionStore()
        let shared = InMemoryElectionProvider(store: store)
        let clock = SystemClock()
        return try await withThrowingTaskGroup(of: Void.self) { tasks in
            let (acquired, continuation) = AsyncStream.makeStream(of: (ElectionService, ElectionInstant).self)
            var running: [ObjectIdentifier: ElectionService] = [:]

            func join() throws {
                let election = try ElectionService(
                    "group",
                    provider: isShared ? shared : InMemoryElectionProvider(store: store)
                )
                running[ObjectIdentifier(election)] = election
                tasks.addTask {
                    // Before the service runs, so that nothing is missed.
                    var events = election.events.makeAsyncIterator()
                    async let service: Void = election.run()
                    while let event = await events.next(isolation: nil) {
                        if event.kind == .acquired { continuation.yield((election, event.instant)) }
                    }
                    try await service
                }
            }

            for _ in 0...waiting { try join() }
            var leaders = acquired.makeAsyncIterator()
            var leader = await leaders.next()?.0
            var values: [Double] = []
            for _ in 0..<count {
                try await Task.sleep(for: pause)
                guard let old = leader else { break }
                let start = clock.now
                old.stop()
                guard let (next, instant) = await leaders.next() else { break }
                values.append(start.duration(to: instant).nanoseconds / 1000)
                running[ObjectIdentifier(old)] = nil
                leader = next
                try join()
            }
            continuation.finish()
            for election in running.values { election.stop() }
            try await tasks.waitForAll()
            return Samples(values)
        }
    }
}
