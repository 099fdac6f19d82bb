// SPDX-License-Identifier: MIT
#if Configuration
internal import LeaderElectionConfiguration

#if canImport(FoundationEssentials)
internal import FoundationEssentials
#else
internal import Foundation
#endif

extension ConfigFile {
    init(path: String, data: Data) throws {
        file = try CommandFailure.translating(from: "--config: ") {
            try OptionFile(path: path, data: data, scope: nil, known: Settings.names)
        }
    }
}
#endif
