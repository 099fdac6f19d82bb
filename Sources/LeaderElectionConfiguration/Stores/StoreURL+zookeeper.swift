// SPDX-License-Identifier: MIT

#if ZooKeeper
internal import LeaderElection
internal import LeaderElectionZooKeeper
internal import Logging

extension StoreURL {
    static func zookeeper(_ url: String, choices: StoreChoices, readOnly: Bool, logger: Logger) throws
        -> any ElectionProvider
    {
        try ZooKeeperElectionProvider(url, logger: logger)
    }
}
#endif
