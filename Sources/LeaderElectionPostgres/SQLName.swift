// SPDX-License-Identifier: MIT
#if Postgres
internal import LeaderElection

/// A name of a schema, a table or a channel, quoted so that it means itself whatever it holds.
struct SQLName: Sendable, Hashable {
    /// Longer ones would be cut short by the server without a word.
    static let maximumLength = 63

    let name: String

    /// - Parameter what: what the name is for, as the user calls it.
    init(_ name: String, what: String) throws {
        try ElectionError.checkText(name, what: what, code: .invalidConfiguration, bytes: 1...Self.maximumLength)
        self.name = name
    }

    /// As an identifier.
    var quoted: String { "\"" + Self.doubled(name, "\"") + "\"" }

    static func literal(_ text: String) -> String {
        // An escape string, in which a backslash means the same whatever the server's settings say.
        "E'" + doubled(doubled(text, "'"), "\\") + "'"
    }

    private static func doubled(_ text: String, _ mark: Character) -> String {
        String(text.flatMap { $0 == mark ? [mark, mark] : [$0] })
    }
}
#endif
