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
/// Of most of them only the key and the index are looked at, and the others are put together from their parts: to have ten
/// thousand decoded takes half a second, in which nothing else happens on the event loop.
struct KVListing: Sendable {
    private let body: ByteBuffer

    /// - Parameter body: a JSON array of entries; empty for none.
    init(_ body: ByteBuffer) { self.body = body }

    /// One entry that has not been decoded yet; not to be kept.
    struct Item {
        let modifyIndex: UInt64
        fileprivate let bytes: UnsafeRawBufferPointer
        fileprivate let object: Range<Int>
        fileprivate let rawKey: JSONScanner.Text
        fileprivate let flags: Range<Int>?
        /// A string or null, as is the value.
        fileprivate let session: Range<Int>?
        fileprivate let value: Range<Int>?

        func entry() throws -> KVEntry {
            // Consul escapes only what keys may hold: little else is left to a decoder.
            guard rawKey.isPlain, let session = string(session), let encoded = string(value),
                let value = Data(base64Encoded: Data(encoded)), let flags = flags.map({ UInt64(text(at: $0)) }) ?? 0
            else { return try TransactionResult.decode(Data(bytes[object])) }
            return KVEntry(
                key: text(at: rawKey.range),
                modifyIndex: modifyIndex,
                flags: flags,
                session: session.isEmpty ? nil : String(decoding: session, as: UTF8.self),
                value: Array(value)
            )
        }

        func key() throws -> String { rawKey.isPlain ? text(at: rawKey.range) : try entry().key }

        /// The group's name as it stands in its key; nil for what is no group's.
        func groupName(_ names: KeyNames) throws -> String? {
            guard rawKey.isPlain else { return names.groupName(inKey: Array(try entry().key.utf8)) }
            return names.groupName(inKey: bytes[rawKey.range])
        }

        /// What is between the quotes of a value, and nothing for none; nil for what has to be decoded.
        private func string(_ value: Range<Int>?) -> Slice<UnsafeRawBufferPointer>? {
            let text = value.map { bytes[$0] } ?? bytes[..<0]
            if text.isEmpty || text.elementsEqual("null".utf8) { return bytes[..<0] }
            guard text.first == UInt8(ascii: "\""), !text.contains(UInt8(ascii: "\\")) else { return nil }
            return text.dropFirst().dropLast()
        }

        private func text(at range: Range<Int>) -> String { String(decoding: bytes[range], as: UTF8.self) }
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
                var (flags, session, value): (Range<Int>?, Range<Int>?, Range<Int>?) = (nil, nil, nil)
                try scanner.object { scanner, name in
                    let name = bytes[name.range]
                    if name.elementsEqual("Key".utf8) {
                        key = try scanner.string()
                    } else if name.elementsEqual("ModifyIndex".utf8) {
                        modifyIndex = UInt64(String(decoding: bytes[try scanner.value()], as: UTF8.self))
                    } else if name.elementsEqual("Flags".utf8) {
                        flags = try scanner.value()
                    } else if name.elementsEqual("Session".utf8) {
                        session = try scanner.value()
                    } else if name.elementsEqual("Value".utf8) {
                        value = try scanner.value()
                    } else {
                        _ = try scanner.value()
                    }
                }
                guard let key, let modifyIndex else { throw TransactionResult.notUnderstood }
                let object = start..<scanner.position
                try visit(
                    Item(
                        modifyIndex: modifyIndex,
                        bytes: bytes,
                        object: object,
                        rawKey: key,
                        flags: flags,
                        session: session,
                        value: value
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
