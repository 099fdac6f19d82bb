// SPDX-License-Identifier: MIT

#if !SQLite
internal import LeaderElection
internal import Logging

extension StoreURL {
    static func sqlite(_ path: String, choices: StoreChoices, readOnly: Bool, logger: Logger) throws
        -> any ElectionProvider
    {
        throw StoreURL.unusable("sqlite: is not in this build; build with the trait SQLite")
    }
}
#endif
