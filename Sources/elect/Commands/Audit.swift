// SPDX-License-Identifier: MIT

internal import ArgumentParser
internal import ElectionHistory

#if canImport(FoundationEssentials)
internal import FoundationEssentials
#else
internal import Foundation
#endif

struct Audit: ParsableCommand {
    static let configuration = CommandConfiguration(
        abstract: "Check what --history has written against the promises of an election.",
        discussion: """
            Give the files of all candidates together: of one machine, since one boot, because the boot clock is what
            makes them comparable. With --sample-interval a history also holds what each candidate answered to "do I
            lead?", without which an overlap cannot be found.

            Ends with 0 if every promise was kept, with 1 if one was broken, with 64 if a file is not a history.

            EXAMPLES
              elect campaign --provider redis://localhost --group billing --history a.jsonl --sample-interval 2ms
              elect audit a.jsonl b.jsonl
            """
    )

    @Argument(help: ArgumentHelp("What candidates have written with --history.", valueName: "file"))
    var files: [String]

    @Flag(help: "One JSON object a broken promise, and one at the end with the counts.")
    var json = false

    func run() throws {
        let history = try History.reading(files)
        let violations = HistoryAudit(history).violations
        for violation in violations { Output.line(json ? Self.json(violation).description : Self.text(violation)) }
        let lines = history.processes.flatMap(\.lines)
        let counts = [
            ("processes", history.processes.count), ("groups", history.groups.count),
            ("terms", Set(lines.filter { $0.event == "acquired" }.map { "\($0.group) \($0.term ?? 0)" }).count),
            ("claims", lines.count { $0.kind == .claim }), ("violations", violations.count),
        ]
        if json {
            var line = JSONLine()
            for (name, count) in counts { line.add(name, Int64(count)) }
            Output.line(line.description)
        } else {
            Output.line(counts.map { "\($0.1) \($0.0)" }.joined(separator: ", "))
        }
        if !violations.isEmpty { throw ExitCode(1) }
    }

    private static func text(_ violation: HistoryAudit.Violation) -> String {
        "broken: \(violation.promise.rawValue), \(Output.printable(violation.group)), at \(violation.time) ns: "
            + Output.printable(violation.explanation)
    }

    private static func json(_ violation: HistoryAudit.Violation) -> JSONLine {
        var line = JSONLine()
        line.add("promise", violation.promise.rawValue)
        line.add("group", violation.group)
        line.add("t_ns", violation.time)
        line.add("explanation", violation.explanation)
        return line
    }
}

extension History {
    /// Reads the files that a command line names.
    static func reading(_ files: [String]) throws -> History {
        let history: History
        do {
            history = try History(files: files.map { URL(filePath: $0) })
        } catch let error as Unreadable {
            throw CommandFailure.usage(error.description)
        }
        guard !history.groups.isEmpty else {
            throw CommandFailure.usage(
                "no line in \(files.joined(separator: ", ")); name files that --history has written"
            )
        }
        return history
    }
}
