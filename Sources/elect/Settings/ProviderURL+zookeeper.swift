// SPDX-License-Identifier: MIT

#if ZooKeeper
internal import LeaderElection
internal import LeaderElectionZooKeeper
internal import Logging

extension ProviderURL {
    static func zookeeper(_ url: String, readOnly: Bool, logger: Logger) throws -> any ElectionProvider {
        try ZooKeeperElectionProvider(url, logger: logger)
    }
}
#endif
