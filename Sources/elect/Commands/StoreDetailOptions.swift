// SPDX-License-Identifier: MIT

internal import ArgumentParser

/// What some stores can be told beside their URL.
struct StoreDetailOptions: ParsableArguments {
    @Option(help: ArgumentHelp("postgres: the schema of the tables.", valueName: "name"))
    var postgresSchema: String?

    @Option(help: ArgumentHelp("postgres: the table of leases. Default leader_election_lease.", valueName: "name"))
    var postgresTable: String?

    @Option(help: ArgumentHelp("postgres: the channel of notifications. Default: the table's name.", valueName: "name"))
    var postgresChannel: String?

    @Option(help: ArgumentHelp("postgres: whether to make tables that are missing. Default on.", valueName: "on|off"))
    var postgresCreateTable: String?

    @Option(
        help: ArgumentHelp(
            "postgres: whether a standby that lacks the last transactions may take over. Default off.",
            valueName: "on|off"
        )
    )
    var postgresFailsOverAsynchronously: String?

    @Option(
        help: ArgumentHelp(
            "postgres: whether to grant nothing for a lease after the database was replaced. Default on.",
            valueName: "on|off"
        )
    )
    var postgresQuarantine: String?

    @Option(help: ArgumentHelp("sqlite: whether the kernel is to tell of crashes. Default on.", valueName: "on|off"))
    var sqliteDetectProcessDeath: String?

    @Option(
        help: ArgumentHelp("file, sqlite: whether to trust a network file system. Default off.", valueName: "on|off")
    )
    var allowNetworkFileSystem: String?

    // No option for consul-token: what stands on a command line is seen by everybody on the machine.

    var given: [String: [String]] {
        [
            "postgres-schema": postgresSchema, "postgres-table": postgresTable, "postgres-channel": postgresChannel,
            "postgres-create-table": postgresCreateTable,
            "postgres-fails-over-asynchronously": postgresFailsOverAsynchronously,
            "postgres-quarantine": postgresQuarantine, "sqlite-detect-process-death": sqliteDetectProcessDeath,
            "allow-network-file-system": allowNetworkFileSystem,
        ].compactMapValues { $0.map { [$0] } }
    }
}
