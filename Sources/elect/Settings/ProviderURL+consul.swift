// SPDX-License-Identifier: MIT

#if Consul
internal import LeaderElection
internal import LeaderElectionConsul
internal import Logging

extension ProviderURL {
    static func consul(_ url: String, readOnly: Bool, logger: Logger) throws -> any ElectionProvider {
        try ConsulElectionProvider(url, logger: logger)
    }
}
#endif
