// SPDX-License-Identifier: MIT

internal import LeaderElection
internal import LeaderElectionSQLite

@main struct QuickStart {
    static func main() async throws {
        let election = try ElectionService("nightly", provider: .sqlite(path: "/tmp/election.db"))
        try await withElection(election) { election in
            try await election.whileLeader { leadership in
                print("this process leads, in term \(leadership.term)")
                while !Task.isCancelled { try await Task.sleep(for: .seconds(1)) }
            }
        }
    }
}
