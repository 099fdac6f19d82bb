// SPDX-License-Identifier: MIT
// What Swift cannot import from sqlite3.h: variadic calls and destructors that are integer constants.
#ifndef C_ELECTION_SQLITE_H
#define C_ELECTION_SQLITE_H

#include <sqlite3.h>

/// Binds a copy of the text.
static inline int election_sqlite_bind_text(sqlite3_stmt *statement, int index, const void *text, int length) {
    return sqlite3_bind_text(statement, index, length == 0 ? "" : (const char *)text, length, SQLITE_TRANSIENT);
}

/// Binds a copy of the bytes.
static inline int election_sqlite_bind_blob(sqlite3_stmt *statement, int index, const void *bytes, int length) {
    return sqlite3_bind_blob(statement, index, bytes, length, SQLITE_TRANSIENT);
}

#endif
