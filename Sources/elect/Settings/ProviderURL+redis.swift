// SPDX-License-Identifier: MIT

#if Redis
internal import LeaderElection
internal import LeaderElectionRedis
internal import Logging

extension ProviderURL {
    static func redis(_ url: String, readOnly: Bool, logger: Logger) throws -> any ElectionProvider {
        try RedisElectionProvider(url: url, logger: logger)
    }
}
#endif
