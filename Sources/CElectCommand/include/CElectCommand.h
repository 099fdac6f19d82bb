// SPDX-License-Identifier: MIT
// What `elect run` needs of Linux and Swift's C library module leaves out: processes, and the boot clock read raw.
#ifndef C_ELECT_COMMAND_H
#define C_ELECT_COMMAND_H

#include <stdint.h>
#include <sys/types.h>

#if defined(__linux__)
#include <poll.h>
#include <signal.h>
#include <sys/prctl.h>
#include <sys/signalfd.h>
#include <sys/socket.h>
#include <sys/timerfd.h>
#include <time.h>
#include <unistd.h>
#endif

/// Nanoseconds of the boot clock, by system call: a library that fakes the time does not get to see this.
int64_t elect_boot_nanoseconds(void);

/// How a process ended: `signal` is 0 if it returned `code` itself.
typedef struct {
    pid_t pid;
    int32_t code;
    int32_t signal;
} elect_end;

/// Whether the child has ended, without reaping it: its number stays reserved. 1 yes, 0 no, -1 no such child.
int elect_peek_end(pid_t pid, elect_end *end);

/// Reaps one child: 1 reaped, 0 none has ended, -1 no such child. Blocks only if `wait` is not 0.
int elect_reap(pid_t pid, int wait, elect_end *end);

/// Starts this very program again in a session of its own. Of all descriptors that are close-on-exec, only `kept` are
/// handed down, under the same numbers. Returns the process, or -1 and the errno in `error`.
pid_t elect_spawn_guardian(
    char *const argv[], char *const envp[], const int32_t *kept, int32_t kept_count, int32_t *error);

/// Starts a command as the leader of a new process group that dies with the calling thread; every signal is at its
/// default, none is blocked. `open_files` is its soft limit of descriptors, or 0 to leave that alone. Must be called by
/// a process with one thread. Returns the process, or -1 and the errno of `execvp` or of what failed before.
pid_t elect_spawn_command(char *const argv[], char *const envp[], uint64_t open_files, int32_t *error);

/// Makes orphaned descendants children of this process, also those that started a session of their own.
void elect_adopt_orphans(void);

/// Names this process, for people who look at a list of processes.
void elect_name_process(const char *name);

/// Catches the signals that ask a program to end, except those that whoever started it wants ignored, and ignores
/// SIGPIPE. Returns -1 if the system has no descriptor left.
int elect_catch_stop_signals(void);

/// Waits for one of the signals that `elect_catch_stop_signals` caught; -1 if that cannot work.
int elect_wait_for_stop_signal(void);

/// This process' soft limit of descriptors.
uint64_t elect_open_files_limit(void);

#endif
