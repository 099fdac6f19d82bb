// SPDX-License-Identifier: MIT

#if !Postgres
internal import LeaderElection
internal import Logging

extension ProviderURL {
    static func postgres(_ url: String, readOnly: Bool, logger: Logger) throws -> any ElectionProvider {
        throw CommandFailure.usage("postgres: is not in this build; build with the trait Postgres")
    }
}
#endif
