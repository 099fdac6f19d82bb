// SPDX-License-Identifier: MIT

#if SQLite
internal import LeaderElection
internal import LeaderElectionSQLite
internal import Logging

extension ProviderURL {
    static func sqlite(_ path: String, readOnly: Bool, logger: Logger) throws -> any ElectionProvider {
        try SQLiteElectionProvider(path: path, createIfMissing: !readOnly, logger: logger)
    }
}
#endif
