// SPDX-License-Identifier: MIT

internal import ArgumentParser
internal import LeaderElection
internal import LeaderElectionConfiguration

/// Commands that have a say in whether a candidate leads.
struct HelperOptions: ParsableArguments {
    /// What can change while elections go on.
    static let changeable: Set<String> = [
        "health-check", "health-failure-threshold", "health-interval", "health-recovery-threshold", "health-timeout",
    ]

    @Option(
        help: ArgumentHelp(
            "Run this shell command again and again, and take part only while it ends with 0.",
            valueName: "command"
        )
    )
    var healthCheck: String?

    @Option(
        help: ArgumentHelp(
            "How long to wait from the end of one health check to the next. Default 5s.",
            valueName: "time"
        )
    )
    var healthInterval: String?

    @Option(
        help: ArgumentHelp(
            "How long a health check may take; then all of it is killed, and it has failed. Default 2s.",
            valueName: "time"
        )
    )
    var healthTimeout: String?

    @Option(
        help: ArgumentHelp(
            "How many health checks in a row must fail until it takes no part. Default 3.",
            valueName: "n"
        )
    )
    var healthFailureThreshold: String?

    @Option(
        help: ArgumentHelp("How many in a row must succeed until it takes part again. Default 3.", valueName: "n")
    )
    var healthRecoveryThreshold: String?

    @Option(
        help: ArgumentHelp(
            "Run this shell command when another leader offers its leadership, and take it only once it ended with 0.",
            valueName: "command"
        )
    )
    var prepare: String?

    private var given: [String: [String]] {
        let all = [
            "health-interval": healthInterval, "health-timeout": healthTimeout,
            "health-failure-threshold": healthFailureThreshold, "health-recovery-threshold": healthRecoveryThreshold,
        ]
        return all.compactMapValues { $0.map { [$0] } }
    }

    /// Nil if every candidate counts as well.
    func check(_ settings: Settings, candidate: String) throws -> HealthCheck? {
        let options = settings.with(given)
        guard let found = try settings.text("health-check", healthCheck) else {
            try CommandFailure.translating { try HealthCheck.refuseOptions(options, without: "--health-check") }
            return nil
        }
        let command = try HelperCommand(found.texts[0], source: found.source)
        let timing = try CommandFailure.translating { try HealthCheck { 1 }.reading(options) }
        let health = HealthCommand(command, timeout: timing.timeout, candidate: candidate)
        return try CommandFailure.translating { try HealthCheck { try await health.check() }.reading(options) }
    }

    /// Nil if there is nothing to get ready.
    func preparation(_ settings: Settings) throws -> HelperCommand? {
        try settings.text("prepare", prepare).map { try HelperCommand($0.texts[0], source: $0.source) }
    }
}

extension HelperCommand {
    /// What a candidate of the group does before it takes leadership over from another one.
    func preparation(of group: String, _ configuration: ElectionConfiguration) -> @Sendable () async throws -> Void {
        // As long as the one that offers leadership waits.
        let limit = max(configuration.leaseDuration, .seconds(15))
        let environment = ["ELECT_GROUP": group, "ELECT_CANDIDATE": configuration.candidate]
        return {
            do {
                try await run(within: limit, environment: environment)
            } catch {
                Output.complain("\(Output.printable(group)): leadership was not taken over, --prepare failed: \(error)")
                throw error
            }
        }
    }
}
