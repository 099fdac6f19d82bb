// SPDX-License-Identifier: MIT

internal import ArgumentParser
internal import LeaderElection
internal import Logging

#if canImport(Glibc)
internal import Glibc
#elseif canImport(Musl)
internal import Musl
#else
internal import Darwin
#endif

struct Campaign: AsyncParsableCommand {
    static let configuration = CommandConfiguration(
        abstract: "Take part in elections and print what happens, until SIGTERM or SIGINT.",
        discussion: """
            Never gives up on a store that is away, not at the start either: it says so once for each cause and keeps
            trying. Ends with 0 after it has given its leases back.

            With --config, the file is read again when it changes, and on SIGHUP: events, verbose, priority, health-check
            and its times and thresholds change at once. If anything else has changed, nothing is applied and the options
            are named that need a restart. Without --config SIGHUP ends it.

            With --health-check it takes part only while that command ends with 0. One that does not, or hangs, several
            times in a row, ends its term in good order and waits until it is well again. With --prepare, leadership that
            another one hands over is taken only once that command has ended with 0; one hangs for 15 seconds or a lease
            at most. Commands are run by /bin/sh with ELECT_CANDIDATE, and --prepare with ELECT_GROUP, in the environment;
            what they print goes to standard error, and nothing of them is left when they have ended.

            EXAMPLES
              elect campaign --provider file:///tmp/demo --group billing
              elect campaign --provider sqlite:///tmp/demo.db --group a --group b --events json
              elect campaign --provider sqlite:///tmp/demo.db --groups 1000 --group-prefix shard-
              elect campaign --provider file:///tmp/demo --group billing --http 127.0.0.1:8086
              elect campaign --provider file:///tmp/demo --group billing --history audit.jsonl --sample-interval 2ms
            """
    )

    @OptionGroup var store: StoreOptions

    @Option(help: ArgumentHelp("What to lead. May be repeated.", valueName: "name"))
    var group: [String] = []

    @Option(
        help: ArgumentHelp(
            "Instead of --group: so many groups, named by --group-prefix and a number from 0.",
            valueName: "n"
        )
    )
    var groups: String?

    @Option(help: ArgumentHelp("What the names of --groups begin with. Default: group-", valueName: "text"))
    var groupPrefix: String?

    @OptionGroup var options: CandidateOptions

    func run() async throws {
        let settings = try store.settings()
        let url = try store.store(settings)
        let names = try groupNames(settings)
        let configuration = try options.configuration(settings)
        let preparation = try options.helpers.preparation(settings)
        let printer = try options.printer(settings)
        let page = try options.statusPage(settings)
        let provider = try url.provider(readOnly: false, logger: .forCommand(verbose: printer.verbose))
        let runner = try CampaignRunner(
            groups: names,
            provider: provider,
            configuration: configuration,
            preparation: preparation,
            printer: printer,
            history: try options.historyFile(settings)
        )
        let reload = SettingsReload(settings, printer) { [options] fresh, changed in
            try runner.change(options, fresh, changed)
        }
        runner.onStopSignal { number, _ in
            if number == SIGHUP, let reload { reload.run() } else { runner.stop() }
        }
        let watch = reload?.follow()
        try await StatusPage.serve(page, of: runner.services) { try await runner.run() }
        withExtendedLifetime(watch) {}
    }

    private func groupNames(_ settings: Settings) throws -> [String] {
        let named = settings.find("group", group)
        let count = try settings.count("groups", groups, in: 1...1_000_000)
        let prefix = try settings.text("group-prefix", groupPrefix)
        switch (named, count) {
        // The command line is meant more than what stands somewhere else.
        case (let named?, let count) where count == nil || (groups == nil && !group.isEmpty):
            guard Set(named.texts).count == named.texts.count else {
                throw CommandFailure.usage("\(named.source): a group is named twice; name each once")
            }
            return named.texts
        case (let named, let count?) where named == nil || (group.isEmpty && groups != nil):
            return (0..<count).map { "\(prefix?.texts[0] ?? "group-")\($0)" }
        case (nil, nil):
            throw CommandFailure.usage("no group; give --group NAME, or --groups N with --group-prefix P")
        default:
            throw CommandFailure.usage("--group and --groups exclude each other; give one of them")
        }
    }
}
