// SPDX-License-Identifier: MIT

internal import LeaderElection
internal import LeaderElectionSQLite

/// Active and passive: one copy takes writes, and the others say which one does.
///
/// Start it in two terminals and type lines into both: the active one keeps them, the passive one names the active one.
/// End the active one with Ctrl-C or `kill`, and type into the other one again.
/// ```
/// swift run ActivePassive /tmp/pair.db 8001
/// swift run ActivePassive /tmp/pair.db 8002
/// ```
@main
struct ActivePassive {
    static func main() async throws {
        let arguments = CommandLine.arguments
        let path = arguments.count > 1 ? arguments[1] : "/tmp/election-sample-pair.db"
        var configuration = ElectionConfiguration.fast
        // How the passive ones tell a client where to go.
        configuration.metadata["address"] = "localhost:\(arguments.count > 2 ? arguments[2] : "8000")"
        let election = try ElectionService("ledger", provider: .sqlite(path: path), configuration: configuration)
        try await withElection(election) { election in
            async let _ = tell(of: election)
            let ledger = Ledger(election: election)
            // Blocks, which does no harm: the election has a thread of its own.
            while let line = readLine() { print(ledger.take(line)) }
        }
    }

    static func tell(of election: ElectionService) async {
        for await change in election.changes {
            if change.lostLeadership { print("PASSIVE (\(change.reason))") }
            if change.becameLeader { print("ACTIVE in term \(change.term ?? 0)") }
        }
    }
}

/// What only the active copy may change.
struct Ledger: Sendable {
    let election: ElectionService

    /// Asks the clock at each write, so that the answer is never late, whatever else the process is busy with.
    func take(_ line: String) -> String {
        guard let leadership = election.leadership else {
            return "passive: ask \(election.leader?.candidate.metadata["address"] ?? "again, nobody leads yet")"
        }
        return "kept \"\(line)\" under term \(leadership.term)"
    }
}
