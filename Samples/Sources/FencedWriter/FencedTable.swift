// SPDX-License-Identifier: MIT

internal import CSampleSQLite

/// A resource that refuses the writes of leaders that have been superseded.
///
/// One statement compares the term with the largest one seen and writes, so nothing can come between the two.
final class FencedTable {
    private let database: OpaquePointer

    struct Failure: Error, CustomStringConvertible {
        let description: String
    }

    init(path: String) throws {
        var database: OpaquePointer?
        guard sqlite3_open(path, &database) == SQLITE_OK, let database else {
            throw Failure(description: "cannot open \(path)")
        }
        self.database = database
        sqlite3_busy_timeout(database, 5_000)
        try execute("CREATE TABLE IF NOT EXISTS report (id INTEGER PRIMARY KEY, term INTEGER, writer TEXT, text TEXT)")
    }

    deinit { sqlite3_close_v2(database) }

    /// Writes unless a larger term has written before; false if it was refused.
    func write(_ text: String, by writer: String, term: Int64) throws -> Bool {
        try execute(
            """
            INSERT INTO report (id, term, writer, text) VALUES (1, ?1, ?2, ?3)
            ON CONFLICT (id) DO UPDATE SET term = excluded.term, writer = excluded.writer, text = excluded.text
            WHERE excluded.term >= report.term
            """,
            term,
            [writer, text]
        )
        return sqlite3_changes(database) == 1
    }

    private func execute(_ sql: String, _ term: Int64? = nil, _ texts: [String] = []) throws {
        var statement: OpaquePointer?
        defer { sqlite3_finalize(statement) }
        guard sqlite3_prepare_v2(database, sql, -1, &statement, nil) == SQLITE_OK else { throw failure }
        if let term { sqlite3_bind_int64(statement, 1, term) }
        let copied = unsafeBitCast(-1, to: sqlite3_destructor_type.self)
        for (index, text) in texts.enumerated() { sqlite3_bind_text(statement, Int32(index + 2), text, -1, copied) }
        guard sqlite3_step(statement) == SQLITE_DONE else { throw failure }
    }

    private var failure: Failure { Failure(description: String(cString: sqlite3_errmsg(database))) }
}
