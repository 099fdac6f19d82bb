// SPDX-License-Identifier: MIT

/// The names of options, the same in the environment, on a command line and in a file.
package enum OptionNames {
    /// How to take part.
    package static let candidate = [
        "attempt-timeout", "candidate", "clock-drift-bound", "grace-period", "lease-duration", "metadata",
        "participation",
        "priority", "profile", "renew-interval", "retry-interval", "shutdown-timeout", "unlisted",
    ]

    /// When to call a health check, and what follows from it; the check itself is code.
    package static let health = [
        "health-failure-threshold", "health-interval", "health-minimum-score", "health-recovery-score",
        "health-recovery-threshold", "health-timeout",
    ]

    /// Which store.
    package static let store = [
        "allow-network-file-system", "consul-token", "postgres-channel", "postgres-create-table",
        "postgres-fails-over-asynchronously", "postgres-quarantine", "postgres-schema", "postgres-table", "provider",
        "sqlite-detect-process-death",
    ]

    /// What a service understands.
    package static let service = (candidate + health + store + ["group"]).sorted()

    /// What may hold a password or a token; never shown, neither by us nor by reports of access.
    package static let secret: Set<String> = ["consul-token", "provider"]

    /// The environment variable of an option.
    package static func variable(_ name: String, scope: String) -> String {
        "\(scope)-\(name)".uppercased().map { $0 == "-" ? "_" : String($0) }.joined()
    }

    /// The first of the variables that begin with the scope's name and mean nothing.
    ///
    /// `elect run` hands `…_TERM` to its command, and Kubernetes puts variables such as `ELECT_SERVICE_HOST` and
    /// `ELECT_PORT_80_TCP` into the environment of every container if a service happens to be called `elect`.
    package static func unknownVariable(
        in environment: [String: String],
        scope: String,
        known: [String]
    ) -> String? {
        let prefix = variable("", scope: scope)
        let understood = Set((known + ["config", "term"]).map { variable($0, scope: scope) })
        return environment.keys.sorted().first { name in
            guard name.hasPrefix(prefix), !understood.contains(name) else { return false }
            return !name.contains("_SERVICE_") && !name.contains("_PORT_") && !name.hasSuffix("_PORT")
        }
    }
}
