// SPDX-License-Identifier: MIT

internal import ChildProcesses
internal import Foundation
internal import LeaderElection
internal import LeaderElectionSQLite

/// One of two processes that write a report while they lead.
struct Writer {
    let name: String
    let directory: String

    func run() async throws {
        let table = try FencedTable(path: directory + "/report.db")
        var configuration = ElectionConfiguration.fast
        configuration.candidate = name
        let election = try ElectionService(
            "report",
            provider: .sqlite(path: directory + "/election.db"),
            configuration: configuration
        )
        try await withElection(election) { election in
            printLine("\(name) ready")
            for await command in linesFromParent() {
                let leadership = try await election.waitForLeadership()
                try leadership.check()
                printLine("\(name) checked: leads in term \(leadership.term), \(leadership.remaining) left")
                if command == "pause" {
                    printLine("\(name) paused")
                    // Between the check and the act, as a page fault, a debugger or a busy hypervisor may do.
                    // To this thread, so that it cannot run on until another one has taken the signal.
                    raise(SIGSTOP)
                    printLine("\(name) goes on, and still believes in term \(leadership.term)")
                }
                let isWritten = try table.write("by \(name)", by: name, term: leadership.term)
                printLine("\(name) \(isWritten ? "wrote" : "REFUSED") in term \(leadership.term)")
                if !isWritten { printLine("\(name) asks again: leads now? \(leadership.isValid)") }
                printLine("\(name) done")
            }
        }
    }
}
