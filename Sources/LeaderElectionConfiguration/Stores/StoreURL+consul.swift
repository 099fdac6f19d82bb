// SPDX-License-Identifier: MIT

#if Consul
internal import LeaderElection
internal import LeaderElectionConsul
internal import Logging

extension StoreURL {
    static func consul(_ url: String, choices: StoreChoices, readOnly: Bool, logger: Logger) throws
        -> any ElectionProvider
    {
        try ConsulElectionProvider(url, token: choices.consulToken, logger: logger)
    }
}
#endif
