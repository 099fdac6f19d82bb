// SPDX-License-Identifier: MIT
#if Consul
internal import LeaderElection
internal import NIOCore

#if canImport(FoundationEssentials)
internal import FoundationEssentials
#else
internal import Foundation
#endif

/// All entries below a prefix, as Consul lists them whenever one of them has changed.
///
/// Of most of them only the key and the index are looked at: decoding ten thousand to learn of one takes a fifth of a
/// second, and memory that is never given back.
struct KVListing: Sendable {
    private let body: ByteBuffer

    /// - Parameter body: a JSON array of entries; empty for none.
    init(_ body: ByteBuffer) { self.body = body }

    /// One entry that has not been decoded yet; not to be kept.
    struct Item {
        let modifyIndex: UInt64
        fileprivate let bytes: UnsafeRawBufferPointer
        fileprivate let object: Range<Int>
        /// What stands between the quotes.
        fileprivate let rawKey: Range<Int>
        fileprivate let isKeyPlain: Bool

        func entry() throws -> KVEntry { try TransactionResult.decode(Data(bytes[object])) }

        func key() throws -> String {
            isKeyPlain ? String(decoding: bytes[rawKey], as: UTF8.self) : try entry().key
        }

        /// The group's name as it stands in its key; nil for what is no group's.
        func groupName(_ names: KeyNames) throws -> String? {
            isKeyPlain ? names.groupName(inKey: bytes[rawKey]) : names.groupName(inKey: Array(try entry().key.utf8))
        }
    }

    /// Calls `visit` with each entry, in the order of Consul's keys.
    ///
    /// - Throws: ``/LeaderElection/ElectionError/Code/storeCorrupted`` for what is no listing, perhaps after some calls.
    func forEach(_ visit: (Item) throws -> Void) throws {
        guard body.readableBytes > 0 else { return }
        try body.withUnsafeReadableBytes { bytes in
            var scanner = JSONScanner(bytes)
            try scanner.array { scanner in
                let start = scanner.position
                var (key, modifyIndex): (JSONScanner.Text?, UInt64?) = (nil, nil)
                try scanner.object { scanner, name in
                    if bytes[name.range].elementsEqual("Key".utf8) {
                        key = try scanner.string()
                    } else if bytes[name.range].elementsEqual("ModifyIndex".utf8) {
                        modifyIndex = UInt64(String(decoding: bytes[try scanner.value()], as: UTF8.self))
                    } else {
                        _ = try scanner.value()
                    }
                }
                guard let key, let modifyIndex else { throw TransactionResult.notUnderstood }
                try visit(
                    Item(
                        modifyIndex: modifyIndex,
                        bytes: bytes,
                        object: start..<scanner.position,
                        rawKey: key.range,
                        isKeyPlain: key.isPlain
                    )
                )
            }
            guard scanner.isAtEnd else { throw TransactionResult.notUnderstood }
        }
    }
}

/// Finds the parts of a JSON text without making values of them.
private struct JSONScanner {
    /// A string, without its quotes.
    struct Text {
        let range: Range<Int>
        /// Whether it holds no escapes.
        let isPlain: Bool
    }

    private let bytes: UnsafeRawBufferPointer
    private var next = 0

    init(_ bytes: UnsafeRawBufferPointer) { self.bytes = bytes }

    /// Of the next part.
    var position: Int {
        mutating get {
            skipSpace()
            return next
        }
    }

    var isAtEnd: Bool { mutating get { position == bytes.count } }

    mutating func array(_ element: (inout Self) throws -> Void) throws {
        try expect(UInt8(ascii: "["))
        if take(UInt8(ascii: "]")) { return }
        repeat { try element(&self) } while take(UInt8(ascii: ","))
        try expect(UInt8(ascii: "]"))
    }

    /// - Parameter field: has to pass over the value.
    mutating func object(_ field: (inout Self, Text) throws -> Void) throws {
        try expect(UInt8(ascii: "{"))
        if take(UInt8(ascii: "}")) { return }
        repeat {
            let name = try string()
            try expect(UInt8(ascii: ":"))
            try field(&self, name)
        } while take(UInt8(ascii: ","))
        try expect(UInt8(ascii: "}"))
    }

    mutating func string() throws -> Text {
        try expect(UInt8(ascii: "\""))
        let start = next
        var isPlain = true
        while next < bytes.count {
            switch bytes[next] {
            case UInt8(ascii: "\""):
                defer { next += 1 }
                return Text(range: start..<next, isPlain: isPlain)
            case UInt8(ascii: "\\"):
                isPlain = false
                next += 2
            default: next += 1
            }
        }
        throw TransactionResult.notUnderstood
    }

    /// Passes over whatever comes.
    mutating func value() throws -> Range<Int> {
        let start = position
        guard next < bytes.count else { throw TransactionResult.notUnderstood }
        switch bytes[next] {
        case UInt8(ascii: "\""): _ = try string()
        case UInt8(ascii: "{"), UInt8(ascii: "["): try nested()
        default:
            // A number or a word.
            while next < bytes.count, Self.isOfWord(bytes[next]) { next += 1 }
            guard next > start else { throw TransactionResult.notUnderstood }
        }
        return start..<next
    }

    private mutating func nested() throws {
        var depth = 0
        repeat {
            guard next < bytes.count else { throw TransactionResult.notUnderstood }
            switch bytes[next] {
            case UInt8(ascii: "\""):
                _ = try string()
                continue
            case UInt8(ascii: "{"), UInt8(ascii: "["): depth += 1
            case UInt8(ascii: "}"), UInt8(ascii: "]"): depth -= 1
            default: break
            }
            next += 1
        } while depth > 0
    }

    private static func isOfWord(_ byte: UInt8) -> Bool {
        switch byte {
        case UInt8(ascii: "0")...UInt8(ascii: "9"), UInt8(ascii: "A")...UInt8(ascii: "Z"),
            UInt8(ascii: "a")...UInt8(ascii: "z"), UInt8(ascii: "+"), UInt8(ascii: "-"), UInt8(ascii: "."):
            true
        default: false
        }
    }

    private mutating func skipSpace() {
        while next < bytes.count, bytes[next] == 0x20 || (0x09...0x0D).contains(bytes[next]) { next += 1 }
    }

    private mutating func take(_ byte: UInt8) -> Bool {
        guard position < bytes.count, bytes[next] == byte else { return false }
        next += 1
        return true
    }

    private mutating func expect(_ byte: UInt8) throws {
        guard take(byte) else { throw TransactionResult.notUnderstood }
    }
}
#endif
