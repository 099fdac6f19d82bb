// SPDX-License-Identifier: MIT

internal import ArgumentParser

/// The command line.
struct Elect: AsyncParsableCommand {
    static let configuration = CommandConfiguration(
        commandName: "elect",
        abstract: "Leader election for programs in any language, over a store that you already run.",
        discussion: """
            EXAMPLES
              elect run --provider file:///var/lib/app/election --group nightly -- ./nightly.sh
              elect campaign --provider sqlite:///var/lib/app/election.db --group billing --events json
              elect status --provider sqlite:///var/lib/app/election.db --group billing

            STORES
              memory:                    this process only, to try things out
              file:///directory          processes of one machine; a crash hands over within milliseconds
              sqlite:///path/file.db     processes of one machine, in a database
              postgres://user@host/db    any libpq URI
              redis://host:6379/0        also rediss:, redis+sentinel:, redis+cluster:, redis+quorum:, redis+unix:
              zookeeper://h1,h2/root     an ensemble
              consul://host:8500         also consul+https:, consul+unix:

            OPTIONS FROM ELSEWHERE
              Each option may also stand in the environment (--lease-duration as ELECT_LEASE_DURATION) or in a JSON
              or YAML file given as --config (as "lease-duration"). The command line wins over the environment, the environment
              over the file. A store's address that holds a password belongs into ELECT_PROVIDER, not on a command line.

            EXIT CODES
              0 done   1 doctor, audit: something was found; resign, transfer, evict: not done   64 wrong usage   69 the store is unavailable   75 leadership was lost (run --once)
              run: otherwise the exit code of its command
            """,
        subcommands: [
            Campaign.self, Run.self, Status.self, Watch.self, Resign.self, Transfer.self, Evict.self, Doctor.self,
            Audit.self, Explain.self, Bench.self,
        ]
    )
}
