// SPDX-License-Identifier: MIT

#if !ZooKeeper
internal import LeaderElection
internal import Logging

extension ProviderURL {
    static func zookeeper(_ url: String, readOnly: Bool, logger: Logger) throws -> any ElectionProvider {
        throw CommandFailure.usage("zookeeper: is not in this build; build with the trait ZooKeeper")
    }
}
#endif
