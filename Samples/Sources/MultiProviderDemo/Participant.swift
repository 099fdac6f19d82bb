// SPDX-License-Identifier: MIT

internal import ChildProcesses
internal import Foundation
internal import LeaderElection
internal import LeaderElectionFileSystem
internal import LeaderElectionSQLite

/// What the demo asks of a candidate.
enum Order: String, Sendable {
    case resign
    case stop
}

/// One candidate: takes part, tells what happens, and does as it is told.
struct Participant: Sendable {
    static let group = "demo"
    static let lease = ElectionConfiguration.fast

    let election: ElectionService

    init(name: String, provider: some ElectionProvider) throws {
        var configuration = Self.lease
        configuration.candidate = name
        election = try ElectionService(Self.group, provider: provider, configuration: configuration)
    }

    func run(orders: AsyncStream<Order>, tell: @escaping @Sendable (Word) -> Void) async throws {
        let events = election.events.makeAsyncIterator()
        try await withThrowingTaskGroup(of: Void.self) { tasks in
            tasks.addTask { try await election.run() }
            tasks.addTask { [election] in
                for await order in orders {
                    switch order {
                    case .resign:
                        let word = Word(
                            event: "resigning",
                            candidate: election.candidate.id,
                            nanoseconds: SystemClock().now.nanoseconds
                        )
                        tell(word)
                        await election.resign(standingDownFor: .seconds(1))
                    case .stop: election.stop()
                    }
                }
                // Nobody gives orders any more.
                election.stop()
            }
            var events = events
            while let event = await events.next() { tell(Word(event)) }
            tasks.cancelAll()
            try await tasks.waitForAll()
        }
    }
}

extension Participant {
    /// The life of a child process: orders are lines of standard input, reports are JSON lines on standard output.
    static func runAsChild(store: String, path: String, name: String) async throws {
        let participant =
            switch store {
            case "file": try Participant(name: name, provider: .fileSystem(directory: path))
            default: try Participant(name: name, provider: .sqlite(path: path))
            }
        let (orders, continuation) = AsyncStream.makeStream(of: Order.self)
        try await withThrowingTaskGroup(of: Void.self) { tasks in
            tasks.addTask {
                for await line in linesFromParent() {
                    if let order = Order(rawValue: line) { continuation.yield(order) }
                }
                continuation.finish()
            }
            try await participant.run(orders: orders) { word in
                guard let json = try? JSONEncoder().encode(word) else { return }
                printLine(String(decoding: json, as: UTF8.self))
            }
            tasks.cancelAll()
        }
    }
}
