// SPDX-License-Identifier: MIT

internal import ArgumentParser
internal import LeaderElection
internal import LeaderElectionConfiguration
internal import Logging

struct Doctor: AsyncParsableCommand {
    static let configuration = CommandConfiguration(
        abstract: "Check a store by using it: reach, rights, exclusion, terms, push, latency, clock, and its settings.",
        discussion: """
            Leads a group of its own, elect-doctor, for a moment, as two candidates; a store that never forgets a term
            keeps its record. Takes some seconds, to see whether the store's clock runs at the same rate as this one. Ends with 0 if nothing was found, with 1 on a finding, with 69 if the store is unavailable.

            EXAMPLES
              elect doctor --provider postgres://app@db.internal/app --lease-duration 3s
              elect doctor --provider redis://localhost --json | jq 'select(.ok == false)'
            """
    )

    @OptionGroup var store: StoreOptions

    @Option(help: ArgumentHelp("The lease that the store is to be good for. Default 10s.", valueName: "time"))
    var leaseDuration: String?

    @Flag(help: "One JSON object a check.")
    var json = false

    func run() async throws {
        let settings = try store.settings()
        let url = try store.store(settings)
        let lease = try settings.duration("lease-duration", leaseDuration) ?? .seconds(10)
        let isJSON = try settings.flag("json", json)
        let first = try url.provider(readOnly: false, logger: .forCommand(verbose: false))
        // In another process in real life; a store in memory is only seen from where it is.
        let second =
            url.store == .memory ? first : try url.provider(readOnly: false, logger: .forCommand(verbose: false))
        let bound = try CommandFailure.translating {
            try settings.with([:]).fraction("clock-drift-bound", in: 0...0.05)
        }
        var findings = try await StoreExamination(first, second, lease: lease, driftBound: bound).findings()
        if case .zookeeper(let url) = url.store { findings += await Ensemble(url: url).findings() }
        for finding in findings { Output.line(isJSON ? finding.json.description : Output.printable(finding.text)) }
        if findings.contains(where: { !$0.isFine }) { throw ExitCode(1) }
    }
}
