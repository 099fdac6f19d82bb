// SPDX-License-Identifier: MIT
// What Swift's C library module leaves out, for the engine's timers and for the stores that live in files.
#ifndef C_ELECTION_SYSTEM_H
#define C_ELECTION_SYSTEM_H

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

#endif
