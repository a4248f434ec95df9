/*
 * What the simulation programs have in common: -seeds N -seed S -log FILE, and
 * a line for a seed that fails, which is the whole bug report.
 */
#ifndef SIM_SCENARIO_H
#define SIM_SCENARIO_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>

/** Runs one seed; false and a sentence on standard error if it fails. log is
 * NULL unless the operator asked for it. */
typedef bool (*scenario_fn)(uint64_t seed, FILE *log);

/** Runs scenario for the seeds of the command line (default_seeds of them from
 * 1 on; with SEED set in the environment or -seed, that one alone). Returns the
 * process's exit code. */
int scenario_main(int argc, char **argv, const char *name,
                  uint64_t default_seeds, scenario_fn scenario);

/* ---- counts, and several seeds at a time ---- */

/** Zeroed memory for what a program counts. Whoever keeps its counts there,
 * and moves them with the two functions below, has its seeds run by as many
 * processes as there are processors. Called once, before scenario_main(). */
void *scenario_shared(size_t size);
void scenario_count(uint64_t *count, uint64_t more);
void scenario_highest(uint64_t *highest, uint64_t value);

#endif
