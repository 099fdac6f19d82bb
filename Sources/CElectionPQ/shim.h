// SPDX-License-Identifier: MIT
#ifndef C_ELECTION_PQ_H
#define C_ELECTION_PQ_H

#include <libpq-fe.h>

#endif
