// SPDX-License-Identifier: MIT

internal import ArgumentParser
internal import ChildProcesses
internal import Foundation
internal import LeaderElection

@main
struct MultiProviderDemo: AsyncParsableCommand {
    static let configuration = CommandConfiguration(
        abstract: "Elections in memory, over files, and in SQLite, while leaders are killed, stopped, and asked to go.",
        subcommands: [Show.self, TakePart.self],
        defaultSubcommand: Show.self
    )
}

struct Show: AsyncParsableCommand {
    static let configuration = CommandConfiguration(commandName: "show", abstract: "Show the elections (the default).")

    @Flag(help: "Print a log instead of drawing on the terminal.")
    var plain = false

    @Option(help: "Seconds until the demo ends by itself.")
    var duration = 60.0

    func run() async throws {
        let directory = FileManager.default.temporaryDirectory
            .appendingPathComponent("election-demo-\(ProcessInfo.processInfo.processIdentifier)")
        try FileManager.default.createDirectory(at: directory, withIntermediateDirectories: true)
        defer { try? FileManager.default.removeItem(at: directory) }
        var demo = Demo(duration: duration, directory: directory.path, isPlain: plain || isatty(1) == 0)
        try await demo.run()
        printLine("")
        for line in demo.summary { printLine(line) }
    }
}

/// One candidate in a process of its own; started by the demo itself.
struct TakePart: AsyncParsableCommand {
    static let configuration = CommandConfiguration(commandName: "candidate", shouldDisplay: false)

    @Argument var store: String
    @Argument var path: String
    @Argument var name: String

    func run() async throws {
        try await Participant.runAsChild(store: store, path: path, name: name)
    }
}
