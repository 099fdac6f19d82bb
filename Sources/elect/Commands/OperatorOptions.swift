// SPDX-License-Identifier: MIT

internal import ArgumentParser
internal import LeaderElection
internal import Logging

/// What the commands understand that ask the present leader for something.
struct OperatorOptions: ParsableArguments {
    @OptionGroup var store: StoreOptions

    @Option(help: ArgumentHelp("Which group.", valueName: "name"))
    var group: String?

    @Option(help: ArgumentHelp("How long to wait for it to be done. Default 60s.", valueName: "time"))
    var timeout: String?

    @Flag(help: "One JSON object instead of text for people.")
    var json = false

    /// What an operator asked for, as it came out.
    struct Outcome {
        var text: String
        /// The term that has ended, where nobody knows who leads next.
        var endedTerm: Int64?
        /// Who leads now.
        var leader: Leader?
    }

    /// - Parameter ask: given the operator, the settings, and how long to wait.
    func run(
        _ ask: (ElectionOperator, Settings, Duration) async throws -> Outcome
    ) async throws {
        let settings = try store.settings()
        let url = try store.store(settings)
        guard let name = try settings.text("group", group) else {
            throw CommandFailure.usage("no group; give --group NAME")
        }
        let wait = try settings.duration("timeout", timeout) ?? .seconds(60)
        let isJSON = try settings.flag("json", json)
        let provider = try url.provider(readOnly: true, logger: .forCommand(verbose: false))
        do {
            let outcome = try await ask(try ElectionOperator(group: name.texts[0], provider: provider), settings, wait)
            Output.line(isJSON ? Self.json(outcome, group: name.texts[0]) : Output.printable(outcome.text))
        } catch let error as ElectionError where [.notLeading, .transferRefused, .timedOut].contains(error.code) {
            throw CommandFailure(code: 1, message: error.message)
        } catch let error as ElectionError {
            throw CommandFailure(error)
        }
    }

    private static func json(_ outcome: Outcome, group: String) -> String {
        var line = JSONLine()
        line.add("group", group)
        if let term = outcome.endedTerm { line.add("ended_term", term) }
        if let leader = outcome.leader {
            line.add("leader", leader.id)
            line.add("term", leader.term)
        }
        return line.description
    }
}
