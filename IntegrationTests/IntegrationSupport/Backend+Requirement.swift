// SPDX-License-Identifier: MIT

package import Testing

extension Trait where Self == ConditionTrait {
    /// Skips a test where the server is not there, and says how to start it; with `ELECTION_REQUIRE_BACKENDS=1` it fails.
    package static func needs(_ backends: Backend...) -> Self {
        let text = backends.map(\.howToStart).joined(separator: "; ")
        return .enabled(Comment(rawValue: text)) {
            for backend in backends where !backend.isReachable {
                guard Backend.areRequired else { return false }
                throw MissingBackend(description: backend.howToStart)
            }
            return true
        }
    }

    /// Skips a test that starts servers of its own where their programs are not installed; with
    /// `ELECTION_REQUIRE_BACKENDS=1` it fails.
    package static func needsOwn(_ backends: Backend...) -> Self { needsOwn(backends) }

    /// The same for a list.
    package static func needsOwn(_ backends: [Backend]) -> Self {
        let names = backends.map(\.rawValue).joined(separator: " ")
        let text = "servers are not installed here; install them with: scripts/servers up \(names)"
        return .enabled(Comment(rawValue: text)) {
            for backend in backends where !backend.isInstalled {
                guard Backend.areRequired else { return false }
                throw MissingBackend(description: text)
            }
            return true
        }
    }
}
