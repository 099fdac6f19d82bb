// SPDX-License-Identifier: MIT

internal import Foundation
internal import LeaderElection
internal import LeaderElectionSQLite

/// A job that runs once for each ten seconds, wherever the leader is, and not again for the same ones after a change.
///
/// Start it in several terminals and end the one that prints:
/// ```
/// swift run ScheduledJob /tmp/schedule.db
/// ```
@main
struct ScheduledJob {
    static func main() async throws {
        let path = CommandLine.arguments.dropFirst().first ?? "/tmp/election-sample-schedule.db"
        let diary = Diary(path: path + ".last-run")
        let election = try ElectionService("report", provider: .sqlite(path: path), configuration: .fast)
        try await withElection(election) { election in
            try await election.whileLeader { leadership in
                while true {
                    let now = Int(Date().timeIntervalSince1970)
                    let slot = now / 10
                    if try diary.lastSlot < slot {
                        // The job may have been waiting for a thread: is it still its turn?
                        try leadership.check()
                        try diary.write(slot, term: leadership.term)
                        print("report of slot \(slot), term \(leadership.term)")
                    }
                    try await Task.sleep(for: .seconds(10 - now % 10))
                }
            }
        }
    }
}

/// For which slot the job ran last: kept beside what it produces, because a leader knows nothing of the one before it.
///
/// The slot is written first. So a leader that crashes in between leaves one out; written last, it would be done twice.
struct Diary: Sendable {
    let path: String

    var lastSlot: Int {
        get throws {
            guard FileManager.default.fileExists(atPath: path) else { return 0 }
            let text = try String(contentsOfFile: path, encoding: .utf8)
            return text.split(separator: " ").first.flatMap { Int($0) } ?? 0
        }
    }

    func write(_ slot: Int, term: Int64) throws {
        try "\(slot) in term \(term)\n".write(toFile: path, atomically: true, encoding: .utf8)
    }
}
