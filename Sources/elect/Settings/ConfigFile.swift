// SPDX-License-Identifier: MIT

internal import LeaderElectionConfiguration

/// Options out of a JSON or YAML file whose keys are the long names of the options.
struct ConfigFile: Sendable {
    let file: OptionFile

    init(path: String) throws {
        file = try CommandFailure.translating(from: "--config: ") {
            try OptionFile(path: path, scope: nil, known: Settings.names)
        }
    }
}
