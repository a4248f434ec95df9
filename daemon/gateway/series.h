/*
 * Counters with a label that strangers choose: at most so many labels get
 * counters of their own, all further ones share those of "other". Without this
 * bound a stream of made-up names would use up the registry.
 * Threads: any.
 */
#ifndef GATEWAY_SERIES_H
#define GATEWAY_SERIES_H

#include "base/metrics.h"

#define SERIES_NAMES_MAX 3

struct series;

/** One value of the label; lives as long as its series. */
struct series_entry {
    struct base_counter *counters[SERIES_NAMES_MAX]; /* as names were given */
};

/** names: up to SERIES_NAMES_MAX, ended by NULL; they and label_key are
 * constants. metrics may be NULL. */
struct series *series_new(struct base_metrics *metrics,
                          const char *const *names, const char *label_key,
                          size_t labels_max);
void series_free(struct series *series);
const struct series_entry *series_get(struct series *series, const char *label);

#endif
