// SPDX-License-Identifier: MIT

internal import ArgumentParser
internal import LeaderElection
internal import Logging

struct Watch: AsyncParsableCommand {
    static let configuration = CommandConfiguration(
        abstract: "Follow who leads and who waits, without taking part, until SIGTERM or SIGINT.",
        discussion: """
            Ends with 69 if the store cannot be read at the start; later it says so and keeps trying.

            EXAMPLES
              elect watch --provider file:///tmp/demo --group billing
              elect watch --provider file:///tmp/demo --group billing --json | jq --unbuffered -r .leader
            """
    )

    @OptionGroup var store: StoreOptions

    @Option(help: ArgumentHelp("Which group.", valueName: "name"))
    var group: String?

    @Flag(help: "One JSON object a line, as of campaign --events json.")
    var json = false

    @Flag(help: "Tell about what stores find doubtful too.")
    var verbose = false

    func run() async throws {
        let settings = try store.settings()
        let url = try store.store(settings)
        guard let name = try settings.text("group", group) else {
            throw CommandFailure.usage("no group; give --group NAME")
        }
        let checked = try CommandFailure.translating { try ElectionGroup(name.texts[0]) }
        let isVerbose = try settings.flag("verbose", verbose)
        let printer = EventPrinter(
            format: try settings.flag("json", json) ? .json : .text,
            verbose: isVerbose
        )
        let provider = try url.provider(readOnly: true, logger: .forCommand(verbose: isVerbose))
        _ = try await Status.holder(of: checked, provider)
        var configuration = ElectionConfiguration.standard
        configuration.participation = .observer
        let runner = try CampaignRunner(
            groups: [checked.name],
            provider: provider,
            configuration: configuration,
            printer: printer,
            history: nil
        )
        runner.onStopSignal { _, _ in runner.stop() }
        try await runner.run { service in
            await WaitingList(group: service.group, provider: provider, printer: printer).follow(service)
        }
    }
}
