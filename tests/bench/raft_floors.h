/* What this disk can do at all, measured in the same run. */
#ifndef TESTS_BENCH_RAFT_FLOORS_H
#define TESTS_BENCH_RAFT_FLOORS_H

#include "raft_load.h"

/** Appends of 256 B and fdatasync(2), one after the other: how many a second. */
double floor_fdatasync(const struct load_options *options);
/** Rows into SQLite (WAL, FULL), as many a transaction as there are proposers,
 * in as many processes as there are servers. One process's. */
bool floor_sqlite(const struct load_options *options,
                  struct load_result *result);

#endif
