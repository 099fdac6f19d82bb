// SPDX-License-Identifier: MIT

#if Redis
internal import LeaderElection
internal import LeaderElectionRedis
internal import Logging

extension StoreURL {
    static func redis(_ url: String, choices: StoreChoices, readOnly: Bool, logger: Logger) throws
        -> any ElectionProvider
    {
        try RedisElectionProvider(url: url, logger: logger)
    }
}
#endif
