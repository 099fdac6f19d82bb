// SPDX-License-Identifier: MIT
#ifndef C_ELECTION_PQ_H
#define C_ELECTION_PQ_H

#include <dlfcn.h>
#include <libpq-fe.h>
#include <stdint.h>

// libpq sets OpenSSL up, and OpenSSL has exit(3) take it down again: under the hands of any thread that is just then in a
// handshake. OPENSSL_INIT_NO_ATEXIT, asked for before libpq's first connection, leaves that to the kernel; see
// OPENSSL_init_crypto(3). It is looked up by name, as it is libpq that is linked, which may do without OpenSSL.
static inline void election_pq_keep_openssl(void) {
    const uint64_t no_atexit = 0x00080000;
    void *program = dlopen(NULL, RTLD_LAZY);
    if (!program) return;
    int (*init)(uint64_t, const void *) = (int (*)(uint64_t, const void *))dlsym(program, "OPENSSL_init_crypto");
    if (init) init(no_atexit, NULL);
    dlclose(program);
}

#endif
