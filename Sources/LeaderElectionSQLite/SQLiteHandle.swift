// SPDX-License-Identifier: MIT
#if SQLite
internal import CElectionSQLite
internal import LeaderElection

/// One connection to one database: the only importer of C, and the only place where its pointers exist.
///
/// Belongs to one thread at a time. Every statement is prepared once and reset as soon as it was run, so that no
/// open cursor ever holds up a checkpoint.
final class SQLiteHandle {
    private let database: OpaquePointer
    private var statements: [OpaquePointer?]

    /// Opens the file; nothing is read or locked yet.
    ///
    /// Busy waiting is switched off: who waits, and for how long, is decided above.
    init(path: String, createIfMissing: Bool) throws {
        guard sqlite3_libversion_number() >= 3_037_000 else {
            throw ElectionError(
                .storeUnsuitable,
                "libsqlite3 is version \(String(cString: sqlite3_libversion())); elections need 3.37 or later"
            )
        }
        var opened: OpaquePointer?
        let create = createIfMissing ? SQLITE_OPEN_CREATE : 0
        let code = sqlite3_open_v2(path, &opened, SQLITE_OPEN_READWRITE | SQLITE_OPEN_NOMUTEX | create, nil)
        guard code == SQLITE_OK, let opened else {
            let failure = SQLiteFailure(code: code, database: opened)
            sqlite3_close_v2(opened)
            throw failure
        }
        sqlite3_extended_result_codes(opened, 1)
        database = opened
        statements = Array(repeating: nil, count: LeaseQuery.allCases.count)
    }

    deinit {
        for statement in statements { sqlite3_finalize(statement) }
        sqlite3_close_v2(database)
    }

    /// The file that is really open, with symbolic links resolved.
    var resolvedPath: String? {
        sqlite3_db_filename(database, "main").map { String(cString: $0) }
    }

    /// Whether the file was renamed, deleted, or replaced since it was opened.
    var hasMoved: Bool {
        var moved: Int32 = 0
        return sqlite3_file_control(database, "main", SQLITE_FCNTL_HAS_MOVED, &moved) == SQLITE_OK && moved != 0
    }

    /// Rows that the last statement wrote.
    var changes: Int { Int(sqlite3_changes64(database)) }

    /// Runs statements that are not worth preparing for good; the first column of the last row is returned.
    @discardableResult
    func execute(_ sql: String, _ values: SQLiteValue...) throws -> String? {
        var rest: String = sql
        var last: String?
        while !rest.isEmpty {
            var statement: OpaquePointer?
            let (code, consumed) = rest.withCString { text in
                var tail: UnsafePointer<CChar>?
                let code = sqlite3_prepare_v2(database, text, -1, &statement, &tail)
                return (code, tail.map { $0 - text } ?? 0)
            }
            defer { sqlite3_finalize(statement) }
            guard code == SQLITE_OK else { throw SQLiteFailure(code: code, database: database) }
            rest = String(decoding: Array(rest.utf8).dropFirst(consumed), as: UTF8.self)
            guard let statement else { break }
            try bind(values, to: statement)
            try forEachRow(of: statement) { last = $0.text(0) }
        }
        return last
    }

    /// Runs one prepared statement to its end.
    func run(_ query: LeaseQuery, _ values: SQLiteValue..., eachRow: (SQLiteRow) throws -> Void = { _ in }) throws {
        let statement = try prepared(query)
        // Whatever happens, leave no cursor open and no text behind.
        defer {
            sqlite3_reset(statement)
            sqlite3_clear_bindings(statement)
        }
        try bind(values, to: statement)
        try forEachRow(of: statement, eachRow)
    }

    /// Runs `body` in one transaction: all of it is applied, or nothing.
    func transaction<Result>(_ begin: LeaseQuery, _ body: () throws -> Result) throws -> Result {
        try run(begin)
        do {
            let result = try body()
            try run(.commit)
            return result
        } catch {
            // A failed statement may have ended the transaction by itself.
            if sqlite3_get_autocommit(database) == 0 { try run(.rollback) }
            throw error
        }
    }

    private func forEachRow(of statement: OpaquePointer, _ body: (SQLiteRow) throws -> Void) throws {
        while true {
            let code = sqlite3_step(statement)
            switch code {
            case SQLITE_ROW: try body(SQLiteRow(statement: statement))
            case SQLITE_DONE: return
            default: throw SQLiteFailure(code: code, database: database)
            }
        }
    }

    private func prepared(_ query: LeaseQuery) throws -> OpaquePointer {
        if let statement = statements[query.rawValue] { return statement }
        var statement: OpaquePointer?
        let code = sqlite3_prepare_v3(
            database,
            query.sql,
            -1,
            UInt32(SQLITE_PREPARE_PERSISTENT),
            &statement,
            nil
        )
        guard code == SQLITE_OK, let statement else { throw SQLiteFailure(code: code, database: database) }
        statements[query.rawValue] = statement
        return statement
    }

    private func bind(_ values: [SQLiteValue], to statement: OpaquePointer) throws {
        for (index, value) in values.enumerated() {
            let code = bind(value, to: statement, at: Int32(index + 1))
            guard code == SQLITE_OK else { throw SQLiteFailure(code: code, database: database) }
        }
    }

    private func bind(_ value: SQLiteValue, to statement: OpaquePointer, at index: Int32) -> Int32 {
        switch value {
        case .null: return sqlite3_bind_null(statement, index)
        case .integer(let integer): return sqlite3_bind_int64(statement, index, integer)
        case .text(var text):
            return text.withUTF8 {
                election_sqlite_bind_text(statement, index, $0.baseAddress, Int32(clamping: $0.count))
            }
        case .nonce(let nonce):
            return withUnsafeBytes(of: (nonce.high.bigEndian, nonce.low.bigEndian)) {
                election_sqlite_bind_blob(statement, index, $0.baseAddress, Int32($0.count))
            }
        }
    }
}

/// A value to bind.
enum SQLiteValue {
    case null
    case integer(Int64)
    case text(String)
    case nonce(Nonce)

    init(_ text: String?) { self = text.map(Self.text) ?? .null }
    init(_ nonce: Nonce?) { self = nonce.map(Self.nonce) ?? .null }
    init(_ integer: Int64?) { self = integer.map(Self.integer) ?? .null }
}

/// A row of the statement that is running; valid only until the next one.
struct SQLiteRow {
    fileprivate let statement: OpaquePointer

    func integer(_ column: Int32) -> Int64 { sqlite3_column_int64(statement, column) }

    func isNull(_ column: Int32) -> Bool { sqlite3_column_type(statement, column) == SQLITE_NULL }

    func text(_ column: Int32) -> String? {
        guard let bytes = sqlite3_column_text(statement, column) else { return nil }
        let count = Int(sqlite3_column_bytes(statement, column))
        return String(decoding: UnsafeBufferPointer(start: bytes, count: count), as: UTF8.self)
    }

    /// Nil unless the column holds sixteen bytes.
    func nonce(_ column: Int32) -> Nonce? {
        guard let bytes = sqlite3_column_blob(statement, column), sqlite3_column_bytes(statement, column) == 16
        else { return nil }
        return Nonce(
            high: UInt64(bigEndian: bytes.loadUnaligned(as: UInt64.self)),
            low: UInt64(bigEndian: bytes.loadUnaligned(fromByteOffset: 8, as: UInt64.self))
        )
    }
}

/// What SQLite said, before anybody judged it.
struct SQLiteFailure: Error {
    /// What an election makes of a result code.
    enum Kind {
        case busy, full, readOnly, permission, cannotOpen, notADatabase, corrupted, inputOutput, other
    }

    let kind: Kind
    /// The extended result code.
    let code: Int32
    let message: String

    fileprivate init(code: Int32, database: OpaquePointer?) {
        let extended = database.map { sqlite3_extended_errcode($0) } ?? code
        self.code = extended & 0xFF == code & 0xFF ? extended : code
        message = String(cString: database.map { sqlite3_errmsg($0) } ?? sqlite3_errstr(code))
        kind =
            switch code & 0xFF {
            // LOCKED and PROTOCOL too are the work of another connection and pass by themselves.
            case SQLITE_BUSY, SQLITE_LOCKED, SQLITE_PROTOCOL: .busy
            case SQLITE_FULL: .full
            case SQLITE_READONLY: .readOnly
            case SQLITE_PERM, SQLITE_AUTH: .permission
            case SQLITE_CANTOPEN: .cannotOpen
            case SQLITE_NOTADB: .notADatabase
            case SQLITE_CORRUPT: .corrupted
            case SQLITE_IOERR: .inputOutput
            default: .other
            }
    }
}
#endif
