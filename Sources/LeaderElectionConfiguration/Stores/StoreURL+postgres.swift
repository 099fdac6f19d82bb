// SPDX-License-Identifier: MIT

#if Postgres
internal import LeaderElection
internal import LeaderElectionPostgres
internal import Logging

extension StoreURL {
    static func postgres(_ url: String, choices: StoreChoices, readOnly: Bool, logger: Logger) throws
        -> any ElectionProvider
    {
        try PostgresElectionProvider(
            url,
            schema: choices.postgresSchema,
            table: choices.postgresTable ?? "leader_election_lease",
            channel: choices.postgresChannel,
            createTable: choices.postgresCreateTable && !readOnly,
            failsOverAsynchronously: choices.postgresFailsOver,
            quarantine: choices.postgresQuarantine,
            logger: logger
        )
    }
}
#endif
