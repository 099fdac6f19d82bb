// SPDX-License-Identifier: MIT
#if Configuration
import Foundation
import LeaderElection

/// A file that lives as long as this does.
final class TemporaryFile {
    let path: String

    init(_ text: String, ending: String = "json") throws {
        path = NSTemporaryDirectory() + "election-settings-\(UUID().uuidString).\(ending)"
        try Data(text.utf8).write(to: URL(filePath: path))
    }

    deinit { try? FileManager.default.removeItem(atPath: path) }
}

/// What `body` is refused with, as an invalid configuration.
func refusal(_ body: () throws -> Void) -> String {
    do {
        try body()
        return "nothing was thrown"
    } catch let error as ElectionError where error.code == .invalidConfiguration {
        return error.message
    } catch { return "\(error)" }
}
#endif
