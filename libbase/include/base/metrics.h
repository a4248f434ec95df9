/*
 * Counters, gauges and histograms, named as Consul names them
 * ("isthmus.rpc.refused"), with at most one label each. Everything that is
 * refused or dropped anywhere moves a counter here.
 * Threads: registering and listing lock; add, set and observe are atomic and
 * may be called from any thread. Handles live as long as the registry.
 */
#ifndef BASE_METRICS_H
#define BASE_METRICS_H

#include <stddef.h>
#include <stdint.h>

struct base_metrics;
struct base_counter;
struct base_gauge;
struct base_histogram;

struct base_metrics *base_metrics_new(void);
void base_metrics_free(struct base_metrics *metrics);

/** The counter of that name and label, made at first use; names and labels are
 * copied. label_key may be NULL. With metrics NULL, a shared scratch counter
 * is given, so that callers need no test. At most 4,096 series are kept: later
 * ones share one named "isthmus.metrics.overflow". */
struct base_counter *base_metrics_counter(struct base_metrics *metrics,
                                          const char *name,
                                          const char *label_key,
                                          const char *label_value);
struct base_gauge *base_metrics_gauge(struct base_metrics *metrics,
                                      const char *name, const char *label_key,
                                      const char *label_value);
/** Values are in the unit that the name ends with ("..._us"). */
struct base_histogram *base_metrics_histogram(struct base_metrics *metrics,
                                              const char *name,
                                              const char *label_key,
                                              const char *label_value);

void base_counter_add(struct base_counter *counter, uint64_t amount);
uint64_t base_counter_value(const struct base_counter *counter);
void base_gauge_set(struct base_gauge *gauge, int64_t value);
/** For a gauge that several threads share. */
void base_gauge_add(struct base_gauge *gauge, int64_t amount);
int64_t base_gauge_value(const struct base_gauge *gauge);
void base_histogram_observe(struct base_histogram *histogram, uint64_t value);

/* Bucket i counts the values below 2^i, so each holds the ones before it; the
 * count holds those from 2^39 on too. */
#define BASE_HISTOGRAM_BUCKETS 40

enum base_metric_kind {
    BASE_METRIC_COUNTER,
    BASE_METRIC_GAUGE,
    BASE_METRIC_HISTOGRAM
};

/** One series as base_metrics_each() shows it. */
struct base_metric {
    enum base_metric_kind kind;
    const char *name;
    const char *label_key; /* NULL if none */
    const char *label_value;
    uint64_t count; /* counter value, or number of observations */
    int64_t gauge;
    uint64_t sum;
    uint64_t max;
    uint64_t buckets[BASE_HISTOGRAM_BUCKETS];
};
/** Calls each once a series, in the order of first registration. each must not
 * register or list: the registry is locked meanwhile. */
void base_metrics_each(struct base_metrics *metrics,
                       void (*each)(void *arg, const struct base_metric *metric),
                       void *arg);

#endif
