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
        // In one piece, as texts nearly always are: groups are the keys of whatever there are many of.
        let isEqual = left.name.utf8.withContiguousStorageIfAvailable { left in
            right.name.utf8.withContiguousStorageIfAvailable { right in
                left.count == right.count
                    && UnsafeRawBufferPointer(left).elementsEqual(UnsafeRawBufferPointer(right))
            }
        }
        return isEqual?.flatMap(\.self) ?? left.name.utf8.elementsEqual(right.name.utf8)
    }

    /// Hashes the bytes of the name.
    public func hash(into hasher: inout Hasher) {
        let isDone: Void? = name.utf8.withContiguousStorageIfAvailable {
            hasher.combine(bytes: UnsafeRawBufferPointer($0))
        }
        if isDone == nil { Array(name.utf8).withUnsafeBytes { hasher.combine(bytes: $0) } }
    }
}

extension ElectionGroup: CustomStringConvertible {
    /// The name.
    public var description: String { name }
}
