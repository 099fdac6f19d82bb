// SPDX-License-Identifier: MIT

internal import LeaderElection

/// What a group's state file says: the last term granted, and to whom.
///
/// A few lines of text, each a key and a value, in a fixed order, ended by a checksum. Only the digit after "released"
/// ever changes in place; the checksum leaves it out. Everything else is replaced as a whole.
struct StateRecord: Hashable, Sendable {
    var term: Int64
    var nonce: Nonce
    var holder: Candidate
    var leaseDuration: Duration
    /// The inode of the lock file under whose lock this was written.
    var lockInode: UInt64
    var isReleased = false

    /// Larger files are refused unread.
    static let maximumLength = 64 * 1024
    /// Where the digit is that says whether the lease was given back.
    static let releasedOffset = header.utf8.count + "released ".utf8.count
    /// No honest term comes near it, and there is room for larger ones behind it.
    private static let maximumTerm = Int64.max / 2
    private static let header = "leader-election state 1\n"

    var leaseRecord: LeaseRecord { LeaseRecord(term: term, holder: holder, leaseDuration: leaseDuration) }

    var bytes: [UInt8] {
        let milliseconds = (leaseDuration.wholeNanoseconds + 999_999) / 1_000_000
        var text =
            Self.header + """
                released \(isReleased ? 1 : 0)
                term \(term)
                nonce \(nonce)
                lock \(lockInode)
                lease-ms \(milliseconds)
                incarnation \(holder.incarnation)
                holder \(GroupFileName.escape(holder.id))

                """
        for (key, value) in holder.metadata.sorted(by: { $0.key < $1.key }) {
            text += "metadata \(GroupFileName.escape(key))=\(GroupFileName.escape(value))\n"
        }
        let body = Array(text.utf8)
        return body + Array("check \(String(Self.checksum(body), radix: 16))\n".utf8)
    }

    /// FNV-1a in 64 bits, over everything but the released digit.
    private static func checksum(_ bytes: some Collection<UInt8>) -> UInt64 {
        var hash: UInt64 = 0xcbf2_9ce4_8422_2325
        for (offset, byte) in bytes.enumerated() {
            hash = (hash ^ UInt64(offset == releasedOffset ? 0 : byte)) &* 0x100_0000_01b3
        }
        return hash
    }
}

extension StateRecord {
    /// Why a state file cannot be understood.
    struct Malformed: Error, Hashable, CustomStringConvertible {
        let description: String
    }

    /// Reads what ``bytes`` writes, and nothing else.
    init(parsing bytes: [UInt8]) throws(Malformed) {
        guard let text = String(validating: bytes, as: UTF8.self), text.utf8.last == UInt8(ascii: "\n") else {
            throw Malformed(description: bytes.isEmpty ? "it is empty" : "it is not whole lines of UTF-8")
        }
        guard text.hasPrefix(Self.header) else {
            throw Malformed(description: "it does not start with \"\(Self.header.dropLast())\"")
        }
        var lines = text.utf8.dropFirst(Self.header.utf8.count).dropLast().split(
            separator: UInt8(ascii: "\n"),
            omittingEmptySubsequences: false
        ).map { Substring($0) }[...]

        func take(_ key: String) throws(Malformed) -> Substring {
            guard let line = lines.popFirst(), line.hasPrefix(key + " ") else {
                throw Malformed(description: "the line \"\(key)\" is missing")
            }
            return line.dropFirst(key.count + 1)
        }
        func read<Value>(_ key: String, _ convert: (Substring) -> Value?) throws(Malformed) -> Value {
            let text = try take(key)
            guard let value = convert(text) else { throw Malformed(description: "the line \"\(key)\" is wrong") }
            return value
        }

        isReleased = try read("released") { ["0": false, "1": true][$0] }
        term = try read("term") { Int64($0).flatMap { (1...Self.maximumTerm).contains($0) ? $0 : nil } }
        nonce = try read("nonce") { Nonce($0) }
        lockInode = try read("lock") { UInt64($0) }
        leaseDuration = try read("lease-ms") {
            Int64($0).flatMap { (1...Int64(1) << 40).contains($0) ? .milliseconds($0) : nil }
        }
        let incarnation = try read("incarnation") { Nonce($0) }
        let id = try read("holder") { GroupFileName.unescape($0) }
        var metadata: [String: String] = [:]
        while lines.first?.hasPrefix("metadata ") == true {
            let (key, value) = try read("metadata") { line -> (String, String)? in
                let parts = line.split(separator: "=", omittingEmptySubsequences: false)
                guard parts.count == 2, let key = GroupFileName.unescape(parts[0]),
                    let value = GroupFileName.unescape(parts[1])
                else { return nil }
                return (key, value)
            }
            metadata[key] = value
        }
        holder = Candidate(id: id, incarnation: incarnation, metadata: metadata)
        let check = try read("check") { UInt64($0, radix: 16) }
        guard lines.isEmpty else { throw Malformed(description: "something follows its last line") }
        let length = bytes.count - "check \(String(check, radix: 16))\n".utf8.count
        guard check == Self.checksum(bytes.prefix(max(0, length))), self.bytes == bytes else {
            throw Malformed(description: "its checksum is wrong")
        }
    }
}
