// SPDX-License-Identifier: MIT

internal import ChildProcesses
internal import Foundation

/// Why a term has to be checked by what is written to: a leader is paused after it has looked, and its late write is
/// refused.
@main
struct FencedWriter {
    static func main() async throws {
        if CommandLine.arguments.count == 4, CommandLine.arguments[1] == "--writer" {
            try await Writer(name: CommandLine.arguments[2], directory: CommandLine.arguments[3]).run()
            return
        }
        let directory = FileManager.default.temporaryDirectory
            .appendingPathComponent("fenced-writer-\(ProcessInfo.processInfo.processIdentifier)")
        try FileManager.default.createDirectory(at: directory, withIntermediateDirectories: true)
        defer { try? FileManager.default.removeItem(at: directory) }

        func start(_ name: String) throws -> ChildProcess {
            try ChildProcess(arguments: ["--writer", name, directory.path])
        }

        let first = try start("first")
        defer { first.signal(SIGKILL) }
        var fromFirst = first.lines.makeAsyncIterator()
        try await read(&fromFirst, until: "first ready")
        first.send("write")
        try await read(&fromFirst, until: "first done")

        let second = try start("second")
        defer { second.signal(SIGKILL) }
        var fromSecond = second.lines.makeAsyncIterator()
        try await read(&fromSecond, until: "second ready")

        print("--- the first is stopped between its check and its write; its lease of 3 s runs out")
        first.send("pause")
        try await read(&fromFirst, until: "first paused")
        second.send("write")
        try await read(&fromSecond, until: "second done")

        print("--- the first goes on where it was")
        first.signal(SIGCONT)
        let told = try await read(&fromFirst, until: "first done")
        let isRefused = told.contains { $0.contains("REFUSED") }
        print(
            isRefused ? "--- the late write was refused: the report is the second's" : "--- THE LATE WRITE GOT THROUGH"
        )
        guard isRefused else { throw FencedTable.Failure(description: "the fence does not hold") }
    }

    /// Prints what a child says, up to the given line.
    @discardableResult
    static func read(_ lines: inout AsyncStream<String>.Iterator, until end: String) async throws -> [String] {
        var told: [String] = []
        while let line = await lines.next(isolation: #isolation) {
            told.append(line)
            if line == end { return told }
            print(line)
        }
        throw FencedTable.Failure(description: "the child ended before it said \"\(end)\"")
    }
}
