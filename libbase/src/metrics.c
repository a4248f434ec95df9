/*
 * The registry of counters, gauges and histograms. Series are found by kind,
 * name and label in a hash table under a lock; moving one takes an atomic add,
 * because every refused packet does it. Rendering is left to who lists them.
 */
#include "base/metrics.h"

#include <pthread.h>
#include <stdatomic.h>
#include <stdbool.h>
#include <string.h>
#include <uthash.h>

#include "base/alloc.h"
#include "base/buf.h"

#define SERIES_MAX 4096u /* a label from outside must not grow us for ever */
#define KINDS 3
#define OVERFLOW_NAME "isthmus.metrics.overflow"

struct base_counter {
    _Atomic uint64_t value;
};

struct base_gauge {
    _Atomic int64_t value;
};

struct base_histogram {
    _Atomic uint64_t sum;
    _Atomic uint64_t max;
    /* Bucket i holds the values of i bits, so each value moves one of them. */
    _Atomic uint64_t by_bits[65];
};

struct series {
    struct base_metric shape; /* kind, names; numbers are filled for listing */
    union {
        struct base_counter counter;
        struct base_gauge gauge;
        struct base_histogram histogram;
    } value;
    uint8_t *key;
    size_t key_len;
    struct series *next; /* in the order of registration */
    UT_hash_handle hh;
};

struct base_metrics {
    pthread_mutex_t lock;
    struct series *by_key;
    struct series *first;
    struct series **tail;
    struct series *overflow[KINDS];
    size_t count;
};

/* For those who have no registry: moved by all, read by nobody. */
static struct base_counter scratch_counter;
static struct base_gauge scratch_gauge;
static struct base_histogram scratch_histogram;

struct base_metrics *base_metrics_new(void)
{
    struct base_metrics *metrics;

    BASE_NEW(metrics);
    pthread_mutex_init(&metrics->lock, NULL);
    metrics->tail = &metrics->first;
    return metrics;
}

static void series_free(struct series *series)
{
    base_free((char *)(uintptr_t)series->shape.name);
    base_free((char *)(uintptr_t)series->shape.label_key);
    base_free((char *)(uintptr_t)series->shape.label_value);
    base_free(series->key);
    base_free(series);
}

void base_metrics_free(struct base_metrics *metrics)
{
    struct series *series;
    struct series *next;

    if (metrics == NULL)
        return;
    HASH_CLEAR(hh, metrics->by_key);
    for (series = metrics->first; series != NULL; series = next) {
        next = series->next;
        series_free(series);
    }
    pthread_mutex_destroy(&metrics->lock);
    base_free(metrics);
}

/* kind, name, label key and value, NUL between them. */
static void make_key(struct base_buf *key, enum base_metric_kind kind,
                     const char *name, const char *label_key,
                     const char *label_value)
{
    base_buf_append_u8(key, (uint8_t)kind);
    base_buf_append(key, name, strlen(name) + 1);
    if (label_key == NULL)
        return;
    base_buf_append(key, label_key, strlen(label_key) + 1);
    base_buf_append(key, label_value, strlen(label_value));
}

static struct series *add_series(struct base_metrics *metrics,
                                 enum base_metric_kind kind, const char *name,
                                 const char *label_key, const char *label_value)
{
    struct base_buf key = BASE_BUF_INIT;
    struct series *series;

    BASE_NEW(series);
    make_key(&key, kind, name, label_key, label_value);
    series->key_len = base_buf_len(&key);
    series->key = base_memdup(base_buf_data(&key), series->key_len);
    base_buf_close(&key);
    series->shape.kind = kind;
    series->shape.name = base_strdup(name);
    series->shape.label_key = base_strdup(label_key);
    series->shape.label_value = label_key ? base_strdup(label_value) : NULL;
    HASH_ADD_KEYPTR(hh, metrics->by_key, series->key, series->key_len, series);
    *metrics->tail = series;
    metrics->tail = &series->next;
    metrics->count++;
    return series;
}

static struct series *add_or_overflow(struct base_metrics *metrics,
                                      enum base_metric_kind kind,
                                      const char *name, const char *label_key,
                                      const char *label_value)
{
    /* Room is kept for the three that stand for all the rest. */
    if (metrics->count < SERIES_MAX - KINDS)
        return add_series(metrics, kind, name, label_key, label_value);
    if (metrics->overflow[kind] == NULL)
        metrics->overflow[kind] =
            add_series(metrics, kind, OVERFLOW_NAME, NULL, NULL);
    return metrics->overflow[kind];
}

static struct series *series_of(struct base_metrics *metrics,
                                enum base_metric_kind kind, const char *name,
                                const char *label_key, const char *label_value)
{
    struct base_buf key = BASE_BUF_INIT;
    struct series *series = NULL;

    if (label_value == NULL)
        label_key = NULL;
    make_key(&key, kind, name, label_key, label_value);
    pthread_mutex_lock(&metrics->lock);
    HASH_FIND(hh, metrics->by_key, base_buf_data(&key), base_buf_len(&key),
              series);
    if (series == NULL)
        series = add_or_overflow(metrics, kind, name, label_key, label_value);
    pthread_mutex_unlock(&metrics->lock);
    base_buf_close(&key);
    return series;
}

struct base_counter *base_metrics_counter(struct base_metrics *metrics,
                                          const char *name,
                                          const char *label_key,
                                          const char *label_value)
{
    if (metrics == NULL)
        return &scratch_counter;
    return &series_of(metrics, BASE_METRIC_COUNTER, name, label_key,
                      label_value)
                ->value.counter;
}

struct base_gauge *base_metrics_gauge(struct base_metrics *metrics,
                                      const char *name, const char *label_key,
                                      const char *label_value)
{
    if (metrics == NULL)
        return &scratch_gauge;
    return &series_of(metrics, BASE_METRIC_GAUGE, name, label_key, label_value)
                ->value.gauge;
}

struct base_histogram *base_metrics_histogram(struct base_metrics *metrics,
                                              const char *name,
                                              const char *label_key,
                                              const char *label_value)
{
    if (metrics == NULL)
        return &scratch_histogram;
    return &series_of(metrics, BASE_METRIC_HISTOGRAM, name, label_key,
                      label_value)
                ->value.histogram;
}

void base_counter_add(struct base_counter *counter, uint64_t amount)
{
    atomic_fetch_add_explicit(&counter->value, amount, memory_order_relaxed);
}

uint64_t base_counter_value(const struct base_counter *counter)
{
    return atomic_load_explicit(&counter->value, memory_order_relaxed);
}

void base_gauge_set(struct base_gauge *gauge, int64_t value)
{
    atomic_store_explicit(&gauge->value, value, memory_order_relaxed);
}

void base_gauge_add(struct base_gauge *gauge, int64_t amount)
{
    atomic_fetch_add_explicit(&gauge->value, amount, memory_order_relaxed);
}

int64_t base_gauge_value(const struct base_gauge *gauge)
{
    return atomic_load_explicit(&gauge->value, memory_order_relaxed);
}

void base_histogram_observe(struct base_histogram *histogram, uint64_t value)
{
    unsigned bits = value == 0 ? 0 : 64u - (unsigned)__builtin_clzll(value);
    uint64_t max = atomic_load_explicit(&histogram->max, memory_order_relaxed);

    atomic_fetch_add_explicit(&histogram->by_bits[bits], 1,
                              memory_order_relaxed);
    atomic_fetch_add_explicit(&histogram->sum, value, memory_order_relaxed);
    while (value > max && !atomic_compare_exchange_weak_explicit(
                              &histogram->max, &max, value,
                              memory_order_relaxed, memory_order_relaxed))
        ;
}

static void fill_histogram(struct base_metric *out,
                           const struct base_histogram *histogram)
{
    unsigned i;

    /* A value of i bits is below 2^i and not below 2^(i-1). */
    for (i = 0; i < BASE_COUNT_OF(histogram->by_bits); i++) {
        out->count +=
            atomic_load_explicit(&histogram->by_bits[i], memory_order_relaxed);
        if (i < BASE_HISTOGRAM_BUCKETS)
            out->buckets[i] = out->count;
    }
    out->sum = atomic_load_explicit(&histogram->sum, memory_order_relaxed);
    out->max = atomic_load_explicit(&histogram->max, memory_order_relaxed);
}

void base_metrics_each(struct base_metrics *metrics,
                       void (*each)(void *arg,
                                    const struct base_metric *metric),
                       void *arg)
{
    const struct series *series;

    if (metrics == NULL)
        return;
    pthread_mutex_lock(&metrics->lock);
    for (series = metrics->first; series != NULL; series = series->next) {
        struct base_metric metric = series->shape;

        if (metric.kind == BASE_METRIC_COUNTER)
            metric.count = base_counter_value(&series->value.counter);
        else if (metric.kind == BASE_METRIC_GAUGE)
            metric.gauge = base_gauge_value(&series->value.gauge);
        else
            fill_histogram(&metric, &series->value.histogram);
        each(arg, &metric);
    }
    pthread_mutex_unlock(&metrics->lock);
}
