// SPDX-License-Identifier: MIT

#if !Postgres
internal import LeaderElection
internal import Logging

extension StoreURL {
    static func postgres(_ url: String, choices: StoreChoices, readOnly: Bool, logger: Logger) throws
        -> any ElectionProvider
    {
        throw StoreURL.unusable("postgres: is not in this build; build with the trait Postgres")
    }
}
#endif
