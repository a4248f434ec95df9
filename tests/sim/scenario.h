/*
 * What the simulation programs have in common: -seeds N -seed S -log FILE, and
 * a line for a seed that fails, which is the whole bug report.
 */
#ifndef SIM_SCENARIO_H
#define SIM_SCENARIO_H

#include <stdbool.h>
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

#endif
