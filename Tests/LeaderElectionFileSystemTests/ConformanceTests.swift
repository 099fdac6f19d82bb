// SPDX-License-Identifier: MIT

internal import LeaderElection
internal import LeaderElectionFileSystem
internal import LeaderElectionTesting
internal import Testing

#if os(Linux)
@Suite(.timeLimit(.minutes(1)))
struct ConformanceTests {
    @Test(arguments: ProviderConformance.cases(for: [.hints, .endsWithProvider]))
    func keepsThePromisesOfAProvider(_ promise: ProviderConformance.Case) async throws {
        let directory = try TemporaryDirectory()
        try await promise.run(
            ProviderConformance(makeProvider: { try FileSystemElectionProvider(directory: directory.path) })
        )
    }
}
#endif
