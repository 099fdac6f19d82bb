// SPDX-License-Identifier: MIT

internal import LeaderElection

/// How a group is called in its directory.
///
/// "/", "%", control bytes, and a leading "." are written as "%2F"; all other bytes stay as they are, so that people
/// recognise their groups. Names that start with "." are never a group's.
enum GroupFileName {
    /// The longest name that still has room for a suffix in the 255 bytes that file systems allow.
    static let maximumLength = 240
    static let lockSuffix = ".lock"
    static let stateSuffix = ".state"
    static let heirSuffix = ".heir"
    static let notesSuffix = ".notes"

    static func escape(_ group: ElectionGroup) -> String { escape(group.name, isFileName: true) }

    /// The group whose file this is; nil for any other file.
    static func group(ofFile file: String, suffix: String) -> ElectionGroup? {
        guard file.hasSuffix(suffix), let name = unescape(file.dropLast(suffix.count)),
            let group = try? ElectionGroup(name), escape(group) + suffix == file
        else { return nil }
        return group
    }

    /// Writes a text without control bytes, "%", and "=", and for a file name without "/" and leading "." either.
    static func escape(_ text: String, isFileName: Bool = false) -> String {
        var escaped: [UInt8] = []
        for byte in text.utf8 {
            let isSpecial =
                byte < 0x20 || byte == 0x7F || byte == UInt8(ascii: "%")
                || (isFileName
                    ? byte == UInt8(ascii: "/") || (escaped.isEmpty && byte == UInt8(ascii: "."))
                    : byte == UInt8(ascii: "="))
            if isSpecial {
                let digits = Array("0123456789ABCDEF".utf8)
                escaped += [UInt8(ascii: "%"), digits[Int(byte >> 4)], digits[Int(byte & 15)]]
            } else {
                escaped.append(byte)
            }
        }
        return String(decoding: escaped, as: UTF8.self)
    }

    /// Reverses ``escape(_:isFileName:)``; nil if a "%" is not followed by two digits, or the bytes are not UTF-8.
    static func unescape(_ text: Substring) -> String? {
        var bytes: [UInt8] = []
        var rest = text.utf8
        while let byte = rest.popFirst() {
            guard byte == UInt8(ascii: "%") else {
                bytes.append(byte)
                continue
            }
            guard rest.count >= 2, let value = UInt8(String(Substring(rest.prefix(2))), radix: 16) else { return nil }
            bytes.append(value)
            rest.removeFirst(2)
        }
        return String(validating: bytes, as: UTF8.self)
    }
}
