// SPDX-License-Identifier: MIT

#if SQLite
internal import LeaderElection
internal import LeaderElectionSQLite
internal import Logging

extension StoreURL {
    static func sqlite(_ path: String, choices: StoreChoices, readOnly: Bool, logger: Logger) throws
        -> any ElectionProvider
    {
        try SQLiteElectionProvider(
            path: path,
            createIfMissing: !readOnly,
            detectProcessDeath: choices.sqliteDetectDeath,
            allowNetworkFileSystem: choices.allowsNetworkFileSystem,
            logger: logger
        )
    }
}
#endif
