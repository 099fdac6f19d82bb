// SPDX-License-Identifier: MIT
#if Redis
internal import ElectionStores
internal import LeaderElection

/// The names of the keys that one script call can reach: in a cluster all of them lie in one slot.
struct LeaseKeys: Sendable, Hashable {
    let base: String

    /// A hash: which server granted last, the longest lease, and before when nothing may be granted.
    var authority: String { base + "authority" }
    /// What the key of each lease begins with; the group's name follows as it is.
    var leasePrefix: String { base + "lease:" }
    /// What the key of each group's notes begins with; the group's name follows as it is.
    var notesPrefix: String { base + "notes:" }
    /// Where grants, releases, transfers and new notes are published.
    var channel: String { base + "changes" }

    /// How many kinds of groups have such channels of their own.
    static let buckets = 256

    /// Where the candidates of one kind of groups listen that drew the same lot.
    func lot(_ number: Int, bucket: Int) -> String { "\(channel):\(bucket).\(number)" }

    /// Which kind a group is; the same in every process, and in the scripts.
    static func bucket(of group: ElectionGroup) -> Int {
        group.name.utf8.reduce(0) { ($0 * 33 + Int($1)) % buckets }
    }

    func lease(_ group: ElectionGroup) -> String { leasePrefix + group.name }
    func notes(_ group: ElectionGroup) -> String { notesPrefix + group.name }

    /// Keys that need not share a slot: `prefix:…`.
    init(prefix: String) { base = prefix + ":" }

    /// Keys of a cluster, all in one slot, `{prefix}:…`; braces of the prefix itself must not end the hash tag early.
    init(tagging prefix: String) { base = "{\(Self.escaped(prefix))}:" }

    /// Keys of a cluster that share the slot of a part: `prefix:{number}:…`.
    init(prefix: String, part: Int) { base = "\(Self.escaped(prefix)):{\(part)}:" }

    /// Which of so many parts a group belongs to; the same in every process, for ever.
    static func part(of group: ElectionGroup, among count: Int) -> Int {
        let hash = group.name.stableHash
        return Int((hash ^ hash >> 32) % UInt64(count))
    }

    static func escaped(_ text: String) -> String {
        var result = ""
        for character in text.unicodeScalars {
            switch character {
            case "%": result += "%25"
            case "{": result += "%7B"
            case "}": result += "%7D"
            default: result.unicodeScalars.append(character)
            }
        }
        return result
    }
}

/// Words of commands as bytes, without detours: thousands of them are written with every renewal.
enum LeaseWord {
    private static let digits = Array("0123456789abcdef".utf8)

    static func nonce(_ nonce: Nonce) -> [UInt8] {
        [UInt8](unsafeUninitializedCapacity: 32) { buffer, count in
            for index in 0..<16 {
                buffer[index] = digits[Int(nonce.high >> (60 - 4 * UInt64(index)) & 15)]
                buffer[16 + index] = digits[Int(nonce.low >> (60 - 4 * UInt64(index)) & 15)]
            }
            count = 32
        }
    }

    static func nonce(_ nonce: Nonce?) -> [UInt8] { nonce.map { Self.nonce($0) } ?? [] }

    static func number(_ value: some BinaryInteger) -> [UInt8] { Array(String(value).utf8) }

    static func number(_ value: Int64?) -> [UInt8] { value.map { number($0) } ?? [] }

    static func text(_ text: String) -> [UInt8] { Array(text.utf8) }

    /// Rounded up, so that the server never ends a lease before its holder does.
    static func milliseconds(_ duration: Duration) -> [UInt8] { number(duration.wholeMilliseconds) }
}

extension Duration {
    /// Rounded up.
    var wholeMilliseconds: Int64 {
        let nanoseconds = wholeNanoseconds
        return nanoseconds / 1_000_000 + (nanoseconds % 1_000_000 > 0 ? 1 : 0)
    }
}
#endif
