/*
 * What the files of gossip-bench share. Each part prints one table in
 * Markdown, in a process of its own, so that memory and processor time are its
 * alone.
 */
#ifndef TESTS_BENCH_GOSSIP_BENCH_H
#define TESTS_BENCH_GOSSIP_BENCH_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

struct bench_options {
    bool quick;   /* smaller and shorter, to see that it runs */
    size_t nodes; /* only a pool of so many; 0: as each part likes */
};

/* The parts. */
void bench_members(const struct bench_options *options);
void bench_curve(const struct bench_options *options);
void bench_joins(const struct bench_options *options);
void bench_lifeguard(const struct bench_options *options);
void bench_live(const struct bench_options *options);
void bench_codec(const struct bench_options *options);

/* gossip_measure.c */
double bench_now_s(void);
/** Processor time of this process so far. */
double bench_cpu_s(void);
/** Resident now, and at most so far. */
double bench_resident_mib(void);
double bench_peak_mib(void);
/** What malloc has handed out and not got back. */
size_t bench_heap_bytes(void);
/** Sorts them; percent 0 to 100. 0 of none. */
uint64_t bench_percentile(uint64_t *values, size_t count, unsigned percent);

struct bench_series {
    uint64_t *values;
    size_t count, cap;
};
void bench_series_add(struct bench_series *series, uint64_t value);

#endif
