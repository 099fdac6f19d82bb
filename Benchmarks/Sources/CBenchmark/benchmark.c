// SPDX-License-Identifier: MIT
#define _GNU_SOURCE
#include "CBenchmark.h"

#include <fcntl.h>
#include <limits.h>
#include <poll.h>
#include <pthread.h>
#include <stdatomic.h>
#include <stddef.h>
#include <stdio.h>
#include <stdlib.h>
#include <sys/eventfd.h>
#include <sys/resource.h>
#include <time.h>
#include <unistd.h>

#if defined(__GLIBC__)
// Defined in the executable, these stand before the C library's own for every library of the process.
extern void *__libc_malloc(size_t);
extern void *__libc_calloc(size_t, size_t);
extern void *__libc_realloc(void *, size_t);
extern void *__libc_memalign(size_t, size_t);

static atomic_bool counting;
static atomic_llong allocations;

static inline void count(void) {
    if (atomic_load_explicit(&counting, memory_order_relaxed))
        atomic_fetch_add_explicit(&allocations, 1, memory_order_relaxed);
}

void *malloc(size_t size) { count(); return __libc_malloc(size); }
void *calloc(size_t number, size_t size) { count(); return __libc_calloc(number, size); }
void *realloc(void *old, size_t size) { count(); return __libc_realloc(old, size); }
void *aligned_alloc(size_t alignment, size_t size) { count(); return __libc_memalign(alignment, size); }
int posix_memalign(void **result, size_t alignment, size_t size) {
    count();
    *result = __libc_memalign(alignment, size);
    return *result ? 0 : 12;
}

void benchmark_count_allocations(void) {
    atomic_store(&allocations, 0);
    atomic_store(&counting, 1);
}

int64_t benchmark_allocations(void) {
    atomic_store(&counting, 0);
    return atomic_load(&allocations);
}
#else
void benchmark_count_allocations(void) {}
int64_t benchmark_allocations(void) { return -1; }
#endif

static int64_t now(clockid_t clock) {
    struct timespec time;
    clock_gettime(clock, &time);
    return (int64_t)time.tv_sec * 1000000000 + time.tv_nsec;
}

static void wait_for(int descriptor) {
    struct pollfd entry = {descriptor, POLLIN, 0};
    uint64_t value;
    poll(&entry, 1, -1);
    if (read(descriptor, &value, 8) < 0) abort();
}

static void wake(int descriptor) {
    uint64_t one = 1;
    if (write(descriptor, &one, 8) < 0) abort();
}

struct echo { int in, out, count; };

static void *echo(void *argument) {
    struct echo *echo = argument;
    for (int i = 0; i < echo->count; i++) {
        wait_for(echo->in);
        wake(echo->out);
    }
    return NULL;
}

void benchmark_thread_round_trips(int64_t *nanoseconds, int count, int pause) {
    struct echo other = {eventfd(0, EFD_CLOEXEC), eventfd(0, EFD_CLOEXEC), count};
    pthread_t thread;
    if (pthread_create(&thread, NULL, echo, &other) != 0) abort();
    for (int i = 0; i < count; i++) {
        if (pause > 0) usleep(pause);
        int64_t start = now(CLOCK_MONOTONIC);
        wake(other.in);
        wait_for(other.out);
        nanoseconds[i] = now(CLOCK_MONOTONIC) - start;
    }
    pthread_join(thread, NULL);
    close(other.in);
    close(other.out);
}

int64_t benchmark_replace_file(const char *directory) {
    char new[PATH_MAX], path[PATH_MAX], bytes[512] = "x";
    snprintf(new, sizeof new, "%s/new", directory);
    snprintf(path, sizeof path, "%s/replaced", directory);
    int64_t start = now(CLOCK_MONOTONIC);
    int file = open(new, O_WRONLY | O_CREAT | O_EXCL | O_CLOEXEC, 0600);
    if (file < 0 || write(file, bytes, sizeof bytes) != sizeof bytes || fsync(file) != 0) return -1;
    close(file);
    if (rename(new, path) != 0) return -1;
    int parent = open(directory, O_RDONLY | O_CLOEXEC);
    if (parent < 0 || fsync(parent) != 0) return -1;
    close(parent);
    return now(CLOCK_MONOTONIC) - start;
}

int64_t benchmark_overwrite_file(const char *directory) {
    char path[PATH_MAX], bytes[512] = "x";
    snprintf(path, sizeof path, "%s/overwritten", directory);
    int64_t start = now(CLOCK_MONOTONIC);
    int file = open(path, O_WRONLY | O_CREAT | O_CLOEXEC, 0600);
    if (file < 0 || pwrite(file, bytes, sizeof bytes, 0) != sizeof bytes || fdatasync(file) != 0) return -1;
    close(file);
    return now(CLOCK_MONOTONIC) - start;
}

static int64_t readings(clockid_t clock, int64_t count) {
    int64_t start = now(CLOCK_MONOTONIC), sum = 0;
    for (int64_t i = 0; i < count; i++) sum += now(clock);
    volatile int64_t sink = sum;
    (void)sink;
    return now(CLOCK_MONOTONIC) - start;
}

int64_t benchmark_boot_clock(int64_t count) { return readings(CLOCK_BOOTTIME, count); }
int64_t benchmark_coarse_clock(int64_t count) { return readings(CLOCK_REALTIME_COARSE, count); }

int64_t benchmark_resident_bytes(void) {
    long pages = 0;
    FILE *file = fopen("/proc/self/statm", "r");
    if (!file) return 0;
    if (fscanf(file, "%*s %ld", &pages) != 1) pages = 0;
    fclose(file);
    return (int64_t)pages * sysconf(_SC_PAGESIZE);
}

int64_t benchmark_processor_nanoseconds(void) {
    struct rusage usage;
    getrusage(RUSAGE_SELF, &usage);
    return ((int64_t)usage.ru_utime.tv_sec + usage.ru_stime.tv_sec) * 1000000000 +
           ((int64_t)usage.ru_utime.tv_usec + usage.ru_stime.tv_usec) * 1000;
}

void benchmark_flush_lines(void) { setvbuf(stdout, NULL, _IOLBF, 0); }
