// SPDX-License-Identifier: MIT

internal import ArgumentParser
internal import LeaderElection
internal import Logging

struct Run: AsyncParsableCommand {
    static let configuration = CommandConfiguration(
        abstract: "Run a command only while leading.",
        discussion: """
            Waits for leadership, starts COMMAND, and makes sure that nothing of it is left before anybody else can lead:
            also if elect is killed or stopped, and also what COMMAND has started itself or detached. COMMAND is told to
            end (SIGTERM) when the lease could not be renewed until --grace-period before its end, by default a sixth of
            the lease; a fiftieth of the lease before its end (at least 50 ms) everything is killed.

            COMMAND has to stay in the foreground: when it ends, whatever it left behind is ended too, the lease is given
            back, and elect ends with the same exit code (128 + n for signal n). When leadership is lost elect stays
            a candidate and runs COMMAND again in its next term; with --once it ends with 75.

            SIGTERM, SIGINT and SIGHUP tell COMMAND to end (SIGTERM), wait for it at most --shutdown-timeout while the
            lease is still renewed, and give the lease back; a second one kills. elect then ends with COMMAND's exit
            code, or with 128 + n if no COMMAND was running.

            COMMAND's environment has ELECT_GROUP, ELECT_CANDIDATE and ELECT_TERM. Hand the term to whatever COMMAND
            writes to, and have it refuse smaller ones: that closes the last gap, a pause of the whole machine.

            --health-check is a shell command as well, run again and again with ELECT_CANDIDATE in its environment: only
            while it ends with 0 does elect take part. When it has failed or hung several times in a row, COMMAND is told to
            end, and elect waits until all is well again. --prepare is run, with ELECT_GROUP too, when another leader hands
            its leadership over: to get ready, 15 seconds or a lease at most. What they print goes to standard error.

            Events go to standard error for people; with --events they go to standard output.

            EXAMPLES
              elect run --provider file:///var/lib/app/election --group nightly -- ./nightly.sh --all
              elect run --provider sqlite:///var/lib/app/e.db --group web --lease-duration 3s -- ./server
              elect run --provider file:///var/lib/app/election --group once --once -- sh -c 'echo $ELECT_TERM'
            """
    )

    @OptionGroup var store: StoreOptions

    @Option(help: ArgumentHelp("What to lead.", valueName: "name"))
    var group: String?

    @Flag(help: "End with 75 when leadership is lost, instead of waiting for the next term.")
    var once = false

    @OptionGroup var options: CandidateOptions

    @Argument(parsing: .postTerminator, help: ArgumentHelp("Behind --: what to run.", valueName: "command"))
    var command: [String] = []

    func run() async throws {
        let settings = try store.settings()
        let url = try store.store(settings)
        guard let name = try settings.text("group", group) else {
            throw CommandFailure.usage("no group; give --group NAME")
        }
        guard let program = command.first else {
            throw CommandFailure.usage("no command; give it behind --, such as elect run … -- ./nightly.sh")
        }
        let configuration = try options.configuration(settings)
        let isOnce = try settings.flag("once", once)
        let preparation = try options.helpers.preparation(settings)
        let printer = try options.printer(settings, isQuiet: true)
        let page = try options.statusPage(settings)
        if let failure = CommandLookup.failure(program, path: Environment.variables["PATH"]) { throw failure }

        #if os(Linux)
        // Providers may raise the limit for themselves; the command is to have what it would have had without.
        let supervisor = RunSupervisor(
            command: command,
            configuration: configuration,
            gracePeriod: try settings.duration("grace-period", options.gracePeriod, mayBeZero: true),
            isOnce: isOnce
        )
        let provider = try url.provider(readOnly: false, logger: .forCommand(verbose: printer.verbose))
        let runner = try CampaignRunner(
            groups: [name.texts[0]],
            provider: provider,
            configuration: supervisor.configuration,
            preparation: preparation,
            printer: printer,
            history: try options.historyFile(settings)
        )
        runner.onStopSignal { number, count in supervisor.signalled(number, count: count, runner) }
        try await StatusPage.serve(page, of: runner.services) {
            try await runner.run { service in try await supervisor.supervise(service, provider) }
        }
        throw supervisor.result
        #else
        throw CommandFailure.unavailable("elect run needs Linux: it relies on how Linux keeps processes together")
        #endif
    }
}
