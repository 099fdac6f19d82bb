// SPDX-License-Identifier: MIT
// The multi-threaded client library of ZooKeeper.
#ifndef C_ELECTION_ZOOKEEPER_H
#define C_ELECTION_ZOOKEEPER_H

#ifndef THREADED
#define THREADED
#endif
#include <zookeeper/zookeeper.h>

// The library keeps these in variables, which Swift cannot read from several threads.
static inline const struct ACL_vector *election_zookeeper_acl(int creator_only) {
    return creator_only ? &ZOO_CREATOR_ALL_ACL : &ZOO_OPEN_ACL_UNSAFE;
}

#endif
