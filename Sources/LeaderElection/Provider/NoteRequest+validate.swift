// SPDX-License-Identifier: MIT

extension NoteRequest {
    /// The longest text allowed, in bytes of UTF-8.
    public static let maximumTextLength = 8_192

    /// Refuses a note that no store has to keep, as every ``NoteKeepingProvider`` does before it changes anything.
    ///
    /// - Throws: ``ElectionError/Code/invalidConfiguration`` if the key is not 1 to 64 ASCII letters, digits and `-`, the
    ///   text is longer than ``maximumTextLength`` or holds U+0000, or the lifetime is not a millisecond to a day.
    public func validate() throws {
        try checkKey(key, of: group)
        let length = text.utf8.count
        guard length <= Self.maximumTextLength else {
            throw ElectionError(
                .invalidConfiguration,
                "the text of the note \(ElectionError.quoted(key)) has \(length) bytes; use at most \(Self.maximumTextLength)",
                group: group.name
            )
        }
        guard !text.utf8.contains(0) else {
            throw ElectionError(
                .invalidConfiguration,
                "the text of the note \(ElectionError.quoted(key)) holds the character U+0000; remove it",
                group: group.name
            )
        }
        guard lifetime >= .milliseconds(1), lifetime <= .seconds(86_400) else {
            throw ElectionError(
                .invalidConfiguration,
                "the note \"\(key)\" is to be kept for \(lifetime.text()); use a millisecond to a day",
                group: group.name
            )
        }
    }
}

extension NoteRemoval {
    /// Refuses a key that no note can have, as every ``NoteKeepingProvider`` does before it changes anything.
    ///
    /// - Throws: ``ElectionError/Code/invalidConfiguration`` if the key is not 1 to 64 ASCII letters, digits and `-`.
    public func validate() throws {
        try checkKey(key, of: group)
    }
}

private func checkKey(_ key: String, of group: ElectionGroup) throws {
    let isPlain = key.utf8.allSatisfy { byte in
        byte == UInt8(ascii: "-") || (UInt8(ascii: "0")...UInt8(ascii: "9")).contains(byte)
            || (UInt8(ascii: "a")...UInt8(ascii: "z")).contains(byte | 0x20)
    }
    guard isPlain, (1...64).contains(key.utf8.count) else {
        throw ElectionError(
            .invalidConfiguration,
            "the key of a note is \(ElectionError.quoted(key)); use 1 to 64 ASCII letters, digits and -",
            group: group.name
        )
    }
}
