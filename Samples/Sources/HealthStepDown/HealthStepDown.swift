// SPDX-License-Identifier: MIT

internal import Foundation
internal import LeaderElection
internal import LeaderElectionSQLite

/// A leader that steps down when it is not well, and takes part again once it has been well for a while.
///
/// It is well as long as a file is there. Start it in two terminals and remove the file of the one that leads:
/// ```
/// touch /tmp/a.well /tmp/b.well
/// swift run HealthStepDown /tmp/health.db /tmp/a.well
/// swift run HealthStepDown /tmp/health.db /tmp/b.well
/// rm /tmp/a.well
/// ```
@main
struct HealthStepDown {
    static func main() async throws {
        let arguments = CommandLine.arguments
        guard arguments.count == 3 else {
            print("usage: HealthStepDown DATABASE FILE")
            exit(64)
        }
        let file = arguments[2]
        let election = try ElectionService("indexer", provider: .sqlite(path: arguments[1]), configuration: .fast)
        try await withElection(election) { election in
            async let _ = Doctor(election: election).watch { FileManager.default.fileExists(atPath: file) }
            try await election.whileLeader { leadership in
                print("indexes in term \(leadership.term)")
                while !Task.isCancelled { try await Task.sleep(for: .seconds(1)) }
            }
        }
    }
}

/// Suspends a candidate after three bad checks in a row, and resumes it after two good ones.
///
/// So one slow answer does not move leadership, and one lucky one does not bring it back. A `HealthCheck` in the configuration
/// does this for a service; here are the two calls beneath, for who watches in a way of its own.
struct Doctor: Sendable {
    let election: ElectionService

    func watch(_ isWell: @escaping @Sendable () async throws -> Bool) async throws {
        var (bad, good, isSuspended) = (0, 0, false)
        while !Task.isCancelled {
            if await check(isWell) { (bad, good) = (0, good + 1) } else { (bad, good) = (bad + 1, 0) }
            if bad == 3, !isSuspended {
                isSuspended = true
                print("not well: stands down")
                // Returns when the work has ended and the lease was given back.
                await election.suspend(.unhealthy)
            } else if good == 2, isSuspended {
                isSuspended = false
                print("well again: takes part")
                await election.resume()
            }
            try await Task.sleep(for: .milliseconds(500))
        }
    }

    /// A check that throws or takes too long counts as bad.
    private func check(_ isWell: @escaping @Sendable () async throws -> Bool) async -> Bool {
        await withTaskGroup(of: Bool.self) { tasks in
            tasks.addTask { (try? await isWell()) ?? false }
            tasks.addTask {
                try? await Task.sleep(for: .seconds(2))
                return false
            }
            defer { tasks.cancelAll() }
            return await tasks.next() ?? false
        }
    }
}
