// SPDX-License-Identifier: MIT
#ifndef _GNU_SOURCE
#define _GNU_SOURCE
#endif
#include "CElectCommand.h"

#include <errno.h>
#include <fcntl.h>
#include <signal.h>
#include <spawn.h>
#include <string.h>
#include <sys/resource.h>
#include <sys/wait.h>
#include <time.h>
#include <unistd.h>

#if defined(__linux__)
#include <sys/prctl.h>
#include <sys/syscall.h>
#endif

int64_t elect_boot_nanoseconds(void) {
    struct timespec now = {0, 0};
#if defined(__linux__)
    syscall(SYS_clock_gettime, CLOCK_BOOTTIME, &now);
#else
    clock_gettime(CLOCK_MONOTONIC, &now);
#endif
    return (int64_t)now.tv_sec * 1000000000 + now.tv_nsec;
}

void elect_adopt_orphans(void) {
#if defined(__linux__)
    prctl(PR_SET_CHILD_SUBREAPER, 1, 0, 0, 0);
#endif
}

void elect_name_process(const char *name) {
#if defined(__linux__)
    prctl(PR_SET_NAME, name, 0, 0, 0);
#endif
}

// A handler and not a blocked signal with `sigwait`: the main queue of libdispatch leaves a thread behind that has every
// signal unblocked.
static int stop_pipe[2] = {-1, -1};

static void note_stop_signal(int number) {
    int saved = errno;
    unsigned char byte = (unsigned char)number;
    ssize_t written = write(stop_pipe[1], &byte, 1);
    (void)written;
    errno = saved;
}

int elect_catch_stop_signals(void) {
    static const int numbers[] = {SIGTERM, SIGINT, SIGHUP};
    if (pipe(stop_pipe) != 0) return -1;
    for (int i = 0; i < 2; i++) fcntl(stop_pipe[i], F_SETFD, FD_CLOEXEC);
    fcntl(stop_pipe[1], F_SETFL, O_NONBLOCK);
    struct sigaction caught;
    memset(&caught, 0, sizeof caught);
    caught.sa_handler = note_stop_signal;
    caught.sa_flags = SA_RESTART;
    sigfillset(&caught.sa_mask);
    for (int i = 0; i < 3; i++) {
        struct sigaction present;
        if (sigaction(numbers[i], NULL, &present) == 0 && present.sa_handler != SIG_IGN)
            sigaction(numbers[i], &caught, NULL);
    }
    signal(SIGPIPE, SIG_IGN);
    return 0;
}

int elect_wait_for_stop_signal(void) {
    unsigned char byte = 0;
    ssize_t count;
    do {
        count = read(stop_pipe[0], &byte, 1);
    } while (count < 0 && errno == EINTR);
    return count == 1 ? byte : -1;
}

uint64_t elect_open_files_limit(void) {
    struct rlimit limit;
    return getrlimit(RLIMIT_NOFILE, &limit) == 0 ? (uint64_t)limit.rlim_cur : 0;
}

int elect_peek_end(pid_t pid, elect_end *end) {
    siginfo_t info;
    memset(&info, 0, sizeof info);
    int result;
    do {
        result = waitid(P_PID, (id_t)pid, &info, WEXITED | WNOHANG | WNOWAIT);
    } while (result < 0 && errno == EINTR);
    if (result < 0) return -1;
    if (info.si_pid == 0) return 0;
    end->pid = info.si_pid;
    end->code = info.si_code == CLD_EXITED ? info.si_status : 0;
    end->signal = info.si_code == CLD_EXITED ? 0 : info.si_status;
    return 1;
}

int elect_reap(pid_t pid, int wait, elect_end *end) {
    int status = 0;
    pid_t result;
    do {
        result = waitpid(pid, &status, wait ? 0 : WNOHANG);
    } while (result < 0 && errno == EINTR);
    if (result <= 0) return (int)result;
    end->pid = result;
    end->code = WIFEXITED(status) ? WEXITSTATUS(status) : 0;
    end->signal = WIFSIGNALED(status) ? WTERMSIG(status) : 0;
    return 1;
}

#if defined(__linux__)

pid_t elect_spawn_guardian(
    char *const argv[], char *const envp[], const int32_t *kept, int32_t kept_count, int32_t *error
) {
    posix_spawn_file_actions_t actions;
    posix_spawnattr_t attributes;
    pid_t pid = -1;
    if ((*error = posix_spawn_file_actions_init(&actions)) != 0) return -1;
    if ((*error = posix_spawnattr_init(&attributes)) != 0) {
        posix_spawn_file_actions_destroy(&actions);
        return -1;
    }
    // Onto itself: the copy is not close-on-exec.
    for (int32_t i = 0; i < kept_count && *error == 0; i++)
        *error = posix_spawn_file_actions_adddup2(&actions, kept[i], kept[i]);
    if (*error == 0) *error = posix_spawnattr_setflags(&attributes, POSIX_SPAWN_SETSID);
    if (*error == 0) *error = posix_spawn(&pid, "/proc/self/exe", &actions, &attributes, argv, envp);
    posix_spawnattr_destroy(&attributes);
    posix_spawn_file_actions_destroy(&actions);
    return *error == 0 ? pid : -1;
}

extern char **environ;

pid_t elect_spawn_command(char *const argv[], char *const envp[], uint64_t open_files, int32_t *error) {
    int report[2];
    if (pipe2(report, O_CLOEXEC) != 0) {
        *error = errno;
        return -1;
    }
    pid_t parent = getpid();
    pid_t pid = fork();
    if (pid < 0) {
        *error = errno;
        close(report[0]);
        close(report[1]);
        return -1;
    }
    if (pid == 0) {
        // Only what POSIX calls async-signal-safe from here on.
        setpgid(0, 0);
        prctl(PR_SET_PDEATHSIG, SIGKILL);
        if (getppid() != parent) _exit(128 + SIGKILL);
        if (open_files > 0) {
            struct rlimit limit;
            if (getrlimit(RLIMIT_NOFILE, &limit) == 0) {
                limit.rlim_cur = open_files < limit.rlim_max ? (rlim_t)open_files : limit.rlim_max;
                setrlimit(RLIMIT_NOFILE, &limit);
            }
        }
        struct sigaction standard;
        memset(&standard, 0, sizeof standard);
        standard.sa_handler = SIG_DFL;
        for (int number = 1; number < NSIG; number++) sigaction(number, &standard, NULL);
        sigset_t none;
        sigemptyset(&none);
        sigprocmask(SIG_SETMASK, &none, NULL);
        environ = (char **)envp;
        execvp(argv[0], argv);
        int32_t code = errno;
        ssize_t written = write(report[1], &code, sizeof code);
        (void)written;
        _exit(127);
    }
    setpgid(pid, pid);
    close(report[1]);
    int32_t code = 0;
    ssize_t count;
    do {
        count = read(report[0], &code, sizeof code);
    } while (count < 0 && errno == EINTR);
    close(report[0]);
    if (count == (ssize_t)sizeof code) {
        waitpid(pid, NULL, 0);
        *error = code;
        return -1;
    }
    *error = 0;
    return pid;
}

#else

pid_t elect_spawn_guardian(
    char *const argv[], char *const envp[], const int32_t *kept, int32_t kept_count, int32_t *error
) {
    *error = ENOTSUP;
    return -1;
}

pid_t elect_spawn_command(char *const argv[], char *const envp[], uint64_t open_files, int32_t *error) {
    *error = ENOTSUP;
    return -1;
}

#endif
