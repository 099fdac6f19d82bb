// SPDX-License-Identifier: MIT

internal import LeaderElection
internal import LeaderElectionSQLite
internal import Logging
internal import ServiceLifecycle
internal import UnixSignals

/// Work of which exactly one process of many does its share, beside other services.
///
/// Start it in several terminals, end one of them with Ctrl-C or `kill`, and watch the next one go on:
/// ```
/// swift run SingletonWorker /tmp/singleton.db
/// ```
@main
struct SingletonWorker {
    static func main() async throws {
        let path = CommandLine.arguments.dropFirst().first ?? "/tmp/election-sample-singleton.db"
        var logger = Logger(label: "singleton")
        logger.logLevel = .info
        let election = try ElectionService(
            "nightly-billing",
            provider: .sqlite(path: path),
            configuration: .fast,
            logger: logger
        )
        let group = ServiceGroup(
            configuration: ServiceGroupConfiguration(
                services: [
                    .init(service: election),
                    .init(service: BillingWorker(election: election, logger: logger)),
                ],
                gracefulShutdownSignals: [.sigterm, .sigint],
                logger: logger
            )
        )
        try await group.run()
        logger.info("the lease was given back; goodbye")
    }
}

/// Bills one batch after another while this process leads.
struct BillingWorker: Service {
    let election: ElectionService
    let logger: Logger

    func run() async throws {
        try await election.whileLeader { leadership in
            var batch = 0
            while !Task.isCancelled {
                batch += 1
                logger.info("batch \(batch), fenced by term \(leadership.term)")
                // Cancelled as soon as the term ends or the group shuts down.
                try await Task.sleep(for: .seconds(1))
            }
        }
    }
}
