// SPDX-License-Identifier: MIT

#if !Consul
internal import LeaderElection
internal import Logging

extension StoreURL {
    static func consul(_ url: String, choices: StoreChoices, readOnly: Bool, logger: Logger) throws
        -> any ElectionProvider
    {
        throw StoreURL.unusable("consul: is not in this build; build with the trait Consul")
    }
}
#endif
