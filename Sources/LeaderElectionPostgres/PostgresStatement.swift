// SPDX-License-Identifier: MIT
#if Postgres
internal import ElectionStores
internal import LeaderElection

/// A text of SQL with the values of its parameters; most often a transaction of its own.
struct PostgresStatement: Sendable {
    /// Under which a server remembers the text; two texts never share one.
    let name: String
    let sql: String
    var parameters = PostgresParameters()
    /// What the server carries out right after it, before it answers anything; if one fails, the rest is left out.
    ///
    /// The answer is that of the first that has columns.
    private(set) var followers: [PostgresStatement] = []

    init(_ sql: String) {
        self.sql = sql
        name = "election_" + sql.fingerprint
    }

    /// In a transaction, with something else after its end.
    func committed(before last: PostgresStatement) -> PostgresStatement {
        var statement = Self.begin
        statement.followers = [self, Self.commit, last]
        return statement
    }

    static let begin = PostgresStatement("BEGIN")
    static let commit = PostgresStatement("COMMIT")

    func with(_ parameters: PostgresParameters) -> PostgresStatement {
        var statement = self
        statement.parameters = parameters
        return statement
    }
}

/// Values in the server's binary format, one after another in one piece of memory.
struct PostgresParameters: Sendable {
    private struct Field {
        let type: UInt32
        /// Nil for NULL.
        let range: Range<Int>?
    }

    private enum Kind {
        static let int8: UInt32 = 20
        static let text: UInt32 = 25
        static let uuid: UInt32 = 2950
        static let boolean: UInt32 = 16
        static let int8Array: UInt32 = 1016
        static let textArray: UInt32 = 1009
        static let uuidArray: UInt32 = 2951
    }

    private(set) var bytes: [UInt8] = []
    private var fields: [Field] = []

    mutating func add(_ value: Int64?) {
        add(Kind.int8, isNull: value == nil) { $0.append(bigEndian: value ?? 0) }
    }

    mutating func add(_ value: Nonce?) {
        add(Kind.uuid, isNull: value == nil) { bytes in
            bytes.append(bigEndian: value?.high ?? 0)
            bytes.append(bigEndian: value?.low ?? 0)
        }
    }

    mutating func add(_ value: String) {
        add(Kind.text) { $0.append(contentsOf: value.utf8) }
    }

    mutating func add(_ value: Bool) {
        add(Kind.boolean) { $0.append(value ? 1 : 0) }
    }

    mutating func add(texts: some Collection<String>) {
        add(Kind.textArray, of: Kind.text, count: texts.count) { bytes in
            for text in texts {
                bytes.append(bigEndian: Int32(clamping: text.utf8.count))
                bytes.append(contentsOf: text.utf8)
            }
        }
    }

    mutating func add(integers: some Collection<Int64?>) {
        add(Kind.int8Array, of: Kind.int8, count: integers.count) { bytes in
            for integer in integers {
                bytes.append(bigEndian: integer == nil ? Int32(-1) : 8)
                if let integer { bytes.append(bigEndian: integer) }
            }
        }
    }

    mutating func add(nonces: some Collection<Nonce?>) {
        add(Kind.uuidArray, of: Kind.uuid, count: nonces.count) { bytes in
            for nonce in nonces {
                bytes.append(bigEndian: nonce == nil ? Int32(-1) : 16)
                if let nonce {
                    bytes.append(bigEndian: nonce.high)
                    bytes.append(bigEndian: nonce.low)
                }
            }
        }
    }

    private mutating func add(_ type: UInt32, isNull: Bool = false, _ write: (inout [UInt8]) -> Void) {
        let start = bytes.count
        if !isNull { write(&bytes) }
        fields.append(Field(type: type, range: isNull ? nil : start..<bytes.count))
    }

    private mutating func add(
        _ type: UInt32,
        of element: UInt32,
        count: Int,
        _ write: (inout [UInt8]) -> Void
    ) {
        add(type) { bytes in
            bytes.append(bigEndian: Int32(count == 0 ? 0 : 1))
            bytes.append(bigEndian: Int32(1))
            bytes.append(bigEndian: element)
            guard count > 0 else { return }
            bytes.append(bigEndian: Int32(clamping: count))
            bytes.append(bigEndian: Int32(1))
            write(&bytes)
        }
    }

    /// Calls `body` with what libpq takes: types, values, lengths, and formats.
    func withCValues<Result>(
        _ body: ([UInt32], [UnsafePointer<CChar>?], [Int32], [Int32]) -> Result
    ) -> Result {
        // Never empty, so that an empty value at the end still has an address.
        (bytes + [0]).withUnsafeBufferPointer { buffer in
            buffer.withMemoryRebound(to: CChar.self) { characters in
                body(
                    fields.map(\.type),
                    fields.map { field in
                        field.range.flatMap { range in characters.baseAddress.map { $0 + range.lowerBound } }
                    },
                    fields.map { Int32(clamping: $0.range?.count ?? 0) },
                    fields.map { _ in 1 }
                )
            }
        }
    }
}

extension String {
    /// A short text that is the same for the same text in every process, and another one for another text.
    var fingerprint: String { String(stableHash, radix: 36) }
}

extension [UInt8] {
    fileprivate mutating func append(bigEndian value: some FixedWidthInteger) {
        Swift.withUnsafeBytes(of: value.bigEndian) { append(contentsOf: $0) }
    }
}
#endif
