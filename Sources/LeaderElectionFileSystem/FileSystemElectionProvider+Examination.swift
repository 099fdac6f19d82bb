// SPDX-License-Identifier: MIT

internal import ElectionFiles
package import LeaderElection

extension FileSystemElectionProvider: ExaminableProvider {
    /// The kind of file system, and whether the kernel can tell of releases.
    package func examine() async throws -> [StoreFinding] {
        // It may not be there yet: what it will be on is what the directory above it is on.
        var path = store.directory.path
        while path.contains("/"), (try? FileIdentity(path: path, followingLink: true)) == nil {
            path = String(path[..<(path.lastIndex(of: "/") ?? path.startIndex)])
        }
        return try examineDirectory(path.isEmpty ? "/" : path)
    }

    /// Nil: nothing is timed by a clock.
    package func storeClock() async throws -> Int64? { nil }
}
