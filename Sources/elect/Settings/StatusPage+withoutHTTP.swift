// SPDX-License-Identifier: MIT

#if !HTTP
internal import LeaderElection

extension StatusPage {
    func check() throws {
        throw CommandFailure.usage("\(source): there is no status page in this build; build with the trait HTTP")
    }

    static func serve(
        _ page: StatusPage?,
        of services: [ElectionService],
        while body: () async throws -> Void
    ) async throws {
        try await body()
    }
}
#endif
