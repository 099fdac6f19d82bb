// SPDX-License-Identifier: MIT
#if Consul
internal import LeaderElection

/// Names of keys that stand for names of groups: `prefix/group/.lock`.
///
/// This is where `consul lock prefix/group command` has its key, so that both compete for one.
struct KeyNames: Sendable {
    private static var suffix: String { "/.lock" }

    /// With a slash at its end.
    let prefix: String

    /// Where notes are that nobody waits for: beside the prefix, whose watch would be woken by each of them.
    var notes: String { prefix.dropLast() + ".notes/" }
    /// Where notes are that others are to hear of.
    var news: String { prefix.dropLast() + ".news/" }
    /// Where it stands who watches for a crowd.
    var lookouts: String { prefix.dropLast() + ".lookouts/" }

    func key(_ group: ElectionGroup) -> String { prefix + Self.encode(group) + Self.suffix }

    /// What stands for the group in a key, and is mostly short enough to need no memory of its own; nil for what no
    /// group's key can be.
    func groupName(inKey key: some BidirectionalCollection<UInt8>) -> String? {
        let (before, after) = (prefix.utf8.count, Self.suffix.utf8.count)
        guard key.count > before + after, key.starts(with: prefix.utf8),
            key.suffix(after).elementsEqual(Self.suffix.utf8)
        else { return nil }
        let name = key.dropFirst(before).dropLast(after)
        return name.contains(UInt8(ascii: "/")) ? nil : String(decoding: name, as: UTF8.self)
    }

    /// The group that a name in a key stands for; nil if ``encode(_:)`` gives it for none.
    static func group(named name: String) -> ElectionGroup? {
        guard let decoded = decode(name[...]), let group = try? ElectionGroup(decoded), encode(group) == name else {
            return nil
        }
        return group
    }

    /// The group of a key; nil for what is no group's.
    func group(_ key: String) -> ElectionGroup? { groupName(inKey: key.utf8).flatMap { Self.group(named: $0) } }

    /// The keys of a group's notes, below ``notes`` or ``news``; none of them ends like a lease's.
    func notes(of group: ElectionGroup, below root: String) -> String { root + Self.encode(group) + "/" }

    /// What everybody of the group's crowd watches, who does not watch the key itself.
    func lookouts(of group: ElectionGroup) -> String { lookouts + Self.encode(group) + "/" }

    /// The group of a key below ``news``; nil for what is no group's.
    func groupOfNews(_ key: String) -> ElectionGroup? {
        let root = news
        guard key.hasPrefix(root), let slash = key.utf8.lastIndex(of: UInt8(ascii: "/")) else { return nil }
        let start = key.utf8.index(key.startIndex, offsetBy: root.utf8.count)
        guard start < slash, let decoded = Self.decode(key[start..<slash]) else { return nil }
        return try? ElectionGroup(decoded)
    }

    /// A name of plain ASCII characters, with everything else as %XX.
    ///
    /// That names are plain keeps two from being equal as text that are not the same bytes.
    static func encode(_ group: ElectionGroup) -> String {
        if group.name.utf8.allSatisfy({ $0 == UInt8(ascii: ".") }) {
            return String(repeating: "%2E", count: group.name.utf8.count)
        }
        return group.name.utf8.allSatisfy(isPlain) ? group.name : percentEncoded(group.name)
    }

    /// Everything but letters, digits and `-._~` as %XX; what a path of a URL can hold.
    static func percentEncoded(_ text: String) -> String {
        var result: [UInt8] = []
        result.reserveCapacity(text.utf8.count)
        let digits = Array("0123456789ABCDEF".utf8)
        for byte in text.utf8 {
            if isPlain(byte) {
                result.append(byte)
            } else {
                result += [UInt8(ascii: "%"), digits[Int(byte >> 4)], digits[Int(byte & 15)]]
            }
        }
        return String(decoding: result, as: UTF8.self)
    }

    private static func isPlain(_ byte: UInt8) -> Bool {
        switch byte {
        case 0x30...0x39, 0x41...0x5A, 0x61...0x7A, 0x2D, 0x2E, 0x5F, 0x7E: true
        default: false
        }
    }

    private static func decode(_ text: Substring) -> String? {
        guard text.utf8.contains(UInt8(ascii: "%")) else { return String(text) }
        return try? ConsulURL.decode(text, "key")
    }
}
#endif
