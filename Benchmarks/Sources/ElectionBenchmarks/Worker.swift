// SPDX-License-Identifier: MIT

internal import Foundation
internal import LeaderElection
internal import LeaderElectionConsul
internal import LeaderElectionFileSystem
internal import LeaderElectionPostgres
internal import LeaderElectionRedis
internal import LeaderElectionSQLite
internal import LeaderElectionZooKeeper
internal import Synchronization

/// A process that hosts candidates for the benchmark; told by lines, it answers in lines of words.
///
/// Orders: `stop` stops the leader among the candidates; `join` adds a fresh one in its place. Answers: `ready`,
/// `acquired INSTANT`, `stopping INSTANT`, `renewed DEADLINE`, `lost`, each instant in nanoseconds of the boot clock.
struct Worker {
    let store: String
    let path: String
    let groups: Int
    /// Of one group; of many groups there is one candidate each.
    let candidates: Int
    let lease: Duration
    /// What the groups' names begin with: a store that outlives its candidates remembers them.
    let prefix: String
    let isListed: Bool

    init(arguments: [String]) throws {
        guard arguments.count == 7, let groups = Int(arguments[2]), let candidates = Int(arguments[3]),
            let lease = Int(arguments[4])
        else { throw Usage(description: "a worker needs store, path, groups, candidates, lease, prefix, listing") }
        guard groups == 1 || candidates == 1 else {
            throw Usage(description: "a worker hosts many groups or many candidates, not \(groups) and \(candidates)")
        }
        store = arguments[0]
        path = arguments[1]
        self.groups = groups
        self.candidates = candidates
        self.lease = .seconds(lease)
        prefix = arguments[5]
        isListed = arguments[6] == "listed"
    }

    func run() async throws {
        switch store {
        case "file": try await run(on: .fileSystem(directory: path))
        case "sqlite": try await run(on: .sqlite(path: path))
        case "consul": try await run(on: .consul(path))
        case "postgres": try await run(on: .postgres(path))
        case "zookeeper": try await run(on: .zookeeper(path))
        default: try await run(on: .redis(path))
        }
    }

    private func run(on provider: some ElectionProvider) async throws {
        let clock = SystemClock()
        let host = Host(expected: groups == 1 ? candidates : groups)
        func candidate(of group: Int) throws -> ElectionService {
            var configuration = ElectionConfiguration(leaseDuration: lease)
            configuration.isListed = isListed
            return try ElectionService("\(prefix)\(group)", provider: provider, configuration: configuration)
        }
        try await withThrowingDiscardingTaskGroup { tasks in
            func join() throws {
                let election = try candidate(of: 0)
                tasks.addTask { try await host.run(election) }
            }
            if groups == 1 {
                for _ in 0..<candidates { try join() }
            } else {
                let elections = try (0..<groups).map { try candidate(of: $0) }
                tasks.addTask { try await host.run(all: elections) }
            }
            for await line in linesFromParent() {
                if line == "join" { try join() }
                guard line == "stop", let old = host.leader, old.isLeader else { continue }
                host.willStop(at: clock.now)
                old.stop()
            }
            exit(0)
        }
    }
}

/// The candidates of one worker.
private final class Host: Sendable {
    private let expected: Int
    private let state = Mutex<(leader: ElectionService?, settled: Int)>((nil, 0))
    private let stopping = Mutex<ElectionInstant?>(nil)

    init(expected: Int) { self.expected = expected }

    var leader: ElectionService? { state.withLock { $0.leader } }

    /// Told to the parent once the leader has ended: who wakes it meanwhile takes a processor from what is measured.
    func willStop(at instant: ElectionInstant) { stopping.withLock { $0 = instant } }

    /// One candidate of the only group.
    func run(_ election: ElectionService) async throws {
        // Before the service runs, so that nothing is missed.
        var events = election.events.makeAsyncIterator()
        async let service: Void = election.run()
        var isSettled = false
        while let event = await events.next(isolation: nil) {
            switch event.kind {
            case .acquired:
                state.withLock { $0.leader = election }
                printLine("acquired \(event.instant.nanoseconds)")
            case .renewed: printLine("renewed \(event.validUntil?.nanoseconds ?? 0)")
            default: break
            }
            if !isSettled, event.leader != nil {
                isSettled = true
                settle()
            }
        }
        try await service
        let stopped = stopping.withLock { stopping in
            defer { stopping = nil }
            return stopping
        }
        if let stopped { printLine("stopping \(stopped.nanoseconds)") }
    }

    /// One candidate of each of many groups, and one reader for all of them.
    func run(all elections: [ElectionService]) async throws {
        var events = ElectionEvents(of: elections).makeAsyncIterator()
        try await withThrowingDiscardingTaskGroup { tasks in
            for election in elections { tasks.addTask { try await election.run() } }
            var unsettled = Set(elections.map(\.group))
            while let event = await events.next(isolation: nil) {
                switch event.kind {
                // Renewals of the first group only: they count the rounds of all.
                case .renewed where event.group == elections.first?.group:
                    printLine("renewed \(event.validUntil?.nanoseconds ?? 0)")
                case .lost: printLine("lost")
                default: break
                }
                if !unsettled.isEmpty, event.leader != nil, unsettled.remove(event.group) != nil { settle() }
            }
        }
    }

    private func settle() {
        let settled = state.withLock {
            $0.settled += 1
            return $0.settled
        }
        if settled == expected { printLine("ready") }
    }
}
