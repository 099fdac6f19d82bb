// SPDX-License-Identifier: MIT

/// The name of one election: all candidates of a group compete for the same leadership.
///
/// Allowed is any text of 1 to 200 bytes of UTF-8 without control characters (U+0000–U+001F, U+007F–U+009F). Two
/// groups are the same when their bytes are: "é" in one code point and "é" in two are different groups, as they are
/// for every store.
public struct ElectionGroup: Sendable {
    /// The longest name allowed, in bytes of UTF-8.
    public static let maximumLength = 200

    /// The name as given.
    public let name: String

    /// Checks the name.
    ///
    /// - Throws: ``ElectionError/Code/invalidGroup`` when the name is empty, too long, or holds a control character.
    public init(_ name: String) throws {
        try ElectionError.checkText(
            name,
            what: "group name",
            code: .invalidGroup,
            bytes: 1...Self.maximumLength
        )
        self.name = name
    }
}

extension ElectionGroup: Hashable {
    /// Whether both names have the same bytes.
    public static func == (left: Self, right: Self) -> Bool {
        left.name.utf8.elementsEqual(right.name.utf8)
    }

    /// Hashes the bytes of the name.
    public func hash(into hasher: inout Hasher) {
        for byte in name.utf8 { hasher.combine(byte) }
    }
}

extension ElectionGroup: CustomStringConvertible {
    /// The name.
    public var description: String { name }
}
