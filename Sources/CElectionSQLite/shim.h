// SPDX-License-Identifier: MIT
#ifndef C_ELECTION_SQLITE_H
#define C_ELECTION_SQLITE_H

#include <sqlite3.h>

#endif
