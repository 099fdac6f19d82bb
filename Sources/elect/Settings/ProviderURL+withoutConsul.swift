// SPDX-License-Identifier: MIT

#if !Consul
internal import LeaderElection
internal import Logging

extension ProviderURL {
    static func consul(_ url: String, readOnly: Bool, logger: Logger) throws -> any ElectionProvider {
        throw CommandFailure.usage("consul: is not in this build; build with the trait Consul")
    }
}
#endif
