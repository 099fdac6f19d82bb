// SPDX-License-Identifier: MIT
// Counts allocations, and a wake-up of one thread by another as the engine does it.
#ifndef C_BENCHMARK_H
#define C_BENCHMARK_H

#include <stdint.h>

/// Allocations of the whole process between the two calls; -1 where they cannot be counted.
void benchmark_count_allocations(void);
int64_t benchmark_allocations(void);

/// Nanoseconds for each of `count` round trips between two threads through eventfd and poll, `pause` microseconds apart.
void benchmark_thread_round_trips(int64_t *nanoseconds, int count, int pause);

/// Nanoseconds for replacing a small file durably (new file, fsync, rename, fsync of the directory), and for overwriting
/// one durably in place (pwrite, fdatasync); -1 on failure.
int64_t benchmark_replace_file(const char *directory);
int64_t benchmark_overwrite_file(const char *directory);

/// Nanoseconds for `count` readings of the boot clock, and of the coarse wall clock.
int64_t benchmark_boot_clock(int64_t count);
int64_t benchmark_coarse_clock(int64_t count);

/// Resident memory of this process in bytes, and processor time used by all of its threads in nanoseconds.
int64_t benchmark_resident_bytes(void);
int64_t benchmark_processor_nanoseconds(void);

/// Has each line of standard output written at once.
void benchmark_flush_lines(void);

#endif
