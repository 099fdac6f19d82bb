// SPDX-License-Identifier: MIT

internal import Foundation
internal import LeaderElection
internal import LeaderElectionSQLite

/// A critical section: every copy of a service starts with the migration, one of them does it, and the others wait for it.
///
/// Start it in several terminals at once:
/// ```
/// swift run Migration /tmp/migration.db
/// ```
@main
struct Migration {
    static func main() async throws {
        let path = CommandLine.arguments.dropFirst().first ?? "/tmp/election-sample-migration.db"
        let provider = try SQLiteElectionProvider(path: path)
        let schema = Schema(path: path + ".schema")
        do {
            try await provider.withLease("schema-migration", waitingUpTo: .seconds(60)) { lease in
                try await schema.migrate(to: 3, fencedBy: lease)
            }
        } catch let error as ElectionError where error.code == .leaseHeld {
            print("somebody else has been at it for a minute: \(error.message)")
            exit(75)
        }
        print("schema version \(try schema.read().version); the service can start")
    }
}

/// What is migrated, with the term that wrote it last.
struct Schema: Sendable {
    struct State: Codable {
        var version = 0
        var term: Int64 = 0
    }

    struct Superseded: Error {}

    let path: String

    /// Goes on where an earlier holder stopped: each step is kept as soon as it is done.
    func migrate(to version: Int, fencedBy lease: Leadership) async throws {
        while try read().version < version {
            // A step that takes its time; it is cancelled if the lease is lost.
            try await Task.sleep(for: .seconds(1))
            try lease.check()
            var state = try read()
            // In a database: WHERE term <= :term, in the transaction of the step itself.
            guard state.term <= lease.term else { throw Superseded() }
            state.version += 1
            state.term = lease.term
            try JSONEncoder().encode(state).write(to: URL(filePath: path), options: .atomic)
            print("step \(state.version) is done, in term \(lease.term)")
        }
    }

    func read() throws -> State {
        guard FileManager.default.fileExists(atPath: path) else { return State() }
        return try JSONDecoder().decode(State.self, from: Data(contentsOf: URL(filePath: path)))
    }
}
