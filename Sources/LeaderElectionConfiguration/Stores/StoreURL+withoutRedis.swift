// SPDX-License-Identifier: MIT

#if !Redis
internal import LeaderElection
internal import Logging

extension StoreURL {
    static func redis(_ url: String, choices: StoreChoices, readOnly: Bool, logger: Logger) throws
        -> any ElectionProvider
    {
        throw StoreURL.unusable("redis: is not in this build; build with the trait Redis")
    }
}
#endif
