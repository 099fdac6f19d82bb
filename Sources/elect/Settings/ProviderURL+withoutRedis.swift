// SPDX-License-Identifier: MIT

#if !Redis
internal import LeaderElection
internal import Logging

extension ProviderURL {
    static func redis(_ url: String, readOnly: Bool, logger: Logger) throws -> any ElectionProvider {
        throw CommandFailure.usage("redis: is not in this build; build with the trait Redis")
    }
}
#endif
