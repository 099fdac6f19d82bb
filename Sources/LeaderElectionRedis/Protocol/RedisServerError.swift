// SPDX-License-Identifier: MIT
#if Redis

/// A command that the server refused or could not carry out.
struct RedisServerError: Error, Sendable, Hashable {
    /// The word that says what kind of error it is: `NOSCRIPT`, `READONLY`, and so on.
    let prefix: String
    /// The rest of the line.
    let message: String

    init(prefix: String, message: String) {
        self.prefix = prefix
        self.message = message
    }

    /// Takes an error line apart.
    ///
    /// Up to Redis 6 an error of a command within a script came wrapped into one of kind `ERR`; the inner kind counts.
    /// Since Redis 7 the script and its line stand behind it, which would make one cause look like several.
    init(line: String) {
        var line = Self.withoutPlace(line)
        if line.hasPrefix("ERR Error running script"), let inner = Self.innerError(line) { line = inner }
        let end = line.firstIndex { !($0.isUppercase || $0.isNumber || $0 == "_") || !$0.isASCII } ?? line.endIndex
        if end > line.startIndex, end == line.endIndex || line[end] == " " {
            prefix = String(line[..<end])
            message = String(line[end...].drop { $0 == " " })
        } else {
            prefix = "ERR"
            message = String(line)
        }
    }

    /// Takes ` script: <digest>, on @user_script:<line>.` off the end of a line.
    private static func withoutPlace(_ line: String) -> Substring {
        let words = line.split(separator: " ", omittingEmptySubsequences: false)
        guard words.count > 4, words[words.count - 4] == "script:", words[words.count - 2] == "on",
            words[words.count - 1].hasPrefix("@user_script:")
        else { return line[...] }
        return line[..<words[words.count - 5].endIndex]
    }

    /// What follows the last `: -`, where a script's interpreter put the server's own line.
    private static func innerError(_ line: Substring) -> Substring? {
        let marker = Array(": -".utf8)
        let bytes = Array(line.utf8)
        guard bytes.count > marker.count else { return nil }
        for start in stride(from: bytes.count - marker.count, through: 0, by: -1)
        where bytes[start..<start + marker.count].elementsEqual(marker) {
            let inner = String(decoding: bytes[(start + marker.count)...], as: UTF8.self)
            return inner.first?.isUppercase == true ? inner[...] : nil
        }
        return nil
    }
}
#endif
