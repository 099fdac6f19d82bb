// SPDX-License-Identifier: MIT

#if Postgres
internal import LeaderElection
internal import LeaderElectionPostgres
internal import Logging

extension ProviderURL {
    static func postgres(_ url: String, readOnly: Bool, logger: Logger) throws -> any ElectionProvider {
        try PostgresElectionProvider(url, createTable: !readOnly, logger: logger)
    }
}
#endif
