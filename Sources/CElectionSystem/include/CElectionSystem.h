// SPDX-License-Identifier: MIT
// What Swift's C library module leaves out, for the engine's timers and for the stores that live in files.
#ifndef C_ELECTION_SYSTEM_H
#define C_ELECTION_SYSTEM_H

#include <fcntl.h>
#include <poll.h>
#include <signal.h>
#include <sys/file.h>
#include <sys/stat.h>
#include <sys/types.h>
#include <time.h>
#include <unistd.h>

#if defined(__linux__)
#include <sys/eventfd.h>
#include <sys/inotify.h>
#include <sys/prctl.h>
#include <sys/statfs.h>
#include <sys/timerfd.h>
#endif

/// Names the calling thread, for people who look at a running process.
static inline void election_name_thread(const char *name) {
#if defined(__linux__)
    prctl(PR_SET_NAME, name, 0, 0, 0);
#endif
}

#if defined(__linux__)
// Locks of an open file, see fcntl(2); hidden by some C libraries unless asked for.
#ifndef F_OFD_GETLK
#define F_OFD_GETLK 36
#define F_OFD_SETLK 37
#endif

/// Shares a part of a file with whoever else does; it is enough to have it open for reading. 0, or -1 with errno.
static inline int election_share_bytes(int descriptor, off_t start, off_t length) {
    struct flock lock = {.l_type = F_RDLCK, .l_whence = SEEK_SET, .l_start = start, .l_len = length};
    return fcntl(descriptor, F_OFD_SETLK, &lock);
}

/// Whether another open file shares any of it: 1 or 0, or -1 with errno.
static inline int election_others_share_bytes(int descriptor, off_t start, off_t length) {
    struct flock lock = {.l_type = F_WRLCK, .l_whence = SEEK_SET, .l_start = start, .l_len = length};
    return fcntl(descriptor, F_OFD_GETLK, &lock) < 0 ? -1 : lock.l_type != F_UNLCK;
}
#endif

#endif
