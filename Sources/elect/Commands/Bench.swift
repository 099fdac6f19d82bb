// SPDX-License-Identifier: MIT

internal import ArgumentParser
internal import LeaderElection
internal import Logging

struct Bench: AsyncParsableCommand {
    static let configuration = CommandConfiguration(
        abstract: "Acquire, renew and release in a loop, and say how long each takes.",
        discussion: """
            Uses groups of its own, elect-bench-0 and so on, all of them in one call; a store that never forgets a term
            keeps their records. Ends with 69 if the store is unavailable or somebody else holds one of the groups.

            EXAMPLES
              elect bench --provider sqlite:///tmp/demo.db
              elect bench --provider file:///tmp/demo --iterations 1000 --groups 16 --json
            """
    )

    @OptionGroup var store: StoreOptions

    @Option(help: ArgumentHelp("How often. Default 200.", valueName: "n"))
    var iterations: String?

    @Option(help: ArgumentHelp("How many groups in each call. Default 1.", valueName: "n"))
    var groups: String?

    @Option(help: ArgumentHelp("What the names of the groups begin with. Default: elect-bench-", valueName: "text"))
    var groupPrefix: String?

    @Flag(help: "One JSON object instead of a table.")
    var json = false

    func run() async throws {
        let settings = try store.settings()
        let url = try store.store(settings)
        let iterations = try settings.count("iterations", iterations, in: 1...10_000_000) ?? 200
        let count = try settings.count("groups", groups, in: 1...100_000) ?? 1
        let prefix = try settings.text("group-prefix", groupPrefix)?.texts[0] ?? "elect-bench-"
        let isJSON = try settings.flag("json", json)
        let names = try CommandFailure.translating {
            try (0..<count).map { try ElectionGroup("\(prefix)\($0)") }
        }
        let provider = try url.provider(readOnly: false, logger: .forCommand(verbose: false))
        var loop = BenchLoop(provider: provider, groups: names)
        // Opens what needs opening, so that the figures are about calls only.
        try await loop.round(isMeasured: false)
        for _ in 0..<iterations { try await loop.round(isMeasured: true) }
        Output.line(isJSON ? loop.json(iterations: iterations).description : loop.table(iterations: iterations))
    }
}
