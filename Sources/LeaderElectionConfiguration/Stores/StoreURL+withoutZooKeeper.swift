// SPDX-License-Identifier: MIT

#if !ZooKeeper
internal import LeaderElection
internal import Logging

extension StoreURL {
    static func zookeeper(_ url: String, choices: StoreChoices, readOnly: Bool, logger: Logger) throws
        -> any ElectionProvider
    {
        throw StoreURL.unusable("zookeeper: is not in this build; build with the trait ZooKeeper")
    }
}
#endif
