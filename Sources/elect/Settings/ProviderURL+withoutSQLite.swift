// SPDX-License-Identifier: MIT

#if !SQLite
internal import LeaderElection
internal import Logging

extension ProviderURL {
    static func sqlite(_ path: String, readOnly: Bool, logger: Logger) throws -> any ElectionProvider {
        throw CommandFailure.usage("sqlite: is not in this build; build with the trait SQLite")
    }
}
#endif
