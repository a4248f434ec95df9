/*
 * What a benchmark of a Raft library is, whichever library: three processes on
 * loopback, one of them leads and measures. This much is shared with the
 * peers that we are compared with (tests/bench/peers).
 */
#ifndef TESTS_BENCH_RAFT_LOAD_H
#define TESTS_BENCH_RAFT_LOAD_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#define LOAD_SERVERS_MAX 7

struct load_options {
    unsigned servers, proposers, size, seconds;
    bool json;
    bool all; /* none of proposers and size was given: every row */
    char folder[200];
};

struct load_result {
    uint64_t commits;
    double seconds;
    uint32_t p50_us, p99_us;
    uint64_t resident_kib, written_bytes;
};

/** False, with the usage printed, if the arguments make no sense. */
bool load_parse(int argc, char **argv, struct load_options *options);
/** Where server `number` of this run listens: "127.x.y.z:18300". */
void load_address(unsigned number, char out[32]);
uint64_t load_now_ns(void);
/** The half, and the 99th of a hundred, of count samples (which it sorts). */
void load_percentiles(uint32_t *samples, size_t count,
                      struct load_result *result);

/** Starts a process a server with run, which gets the folder of its own and
 * ends only by being killed; waits for the first result written to fd. False
 * if there came none. */
bool load_run(const struct load_options *options,
              void (*run)(const struct load_options *options, unsigned number,
                          int fd),
              struct load_result *result);

/** The JSON members that every library's line has, without braces. */
void load_print_json(const char *name, const struct load_options *options,
                     const struct load_result *result);

/* ---- in the server that leads ---- */

struct load;

/** Leadership began: a second and a half to warm up, then what is counted. */
struct load *load_begin(const struct load_options *options, int fd);
/** A command, proposed at since_ns, was applied here. When the time is over
 * the result is written and this does not return. */
void load_committed(struct load *load, uint64_t since_ns);

#endif
