/* A hash table from label to counters, which stops growing at its bound. */
#include "gateway/series.h"

#include <assert.h>
#include <pthread.h>
#include <string.h>
#include <uthash.h>

#include "base/alloc.h"

#define OTHER "other"

struct label {
    UT_hash_handle hh;
    char *text;
    struct series_entry entry;
};

struct series {
    pthread_mutex_t lock; /* of labels; entries never change */
    struct base_metrics *metrics;
    const char *names[SERIES_NAMES_MAX];
    size_t name_count;
    const char *label_key;
    size_t labels_max;
    struct label *labels;
    struct series_entry other;
};

static void fill(const struct series *series, const char *text,
                 struct series_entry *entry)
{
    size_t i;

    for (i = 0; i < series->name_count; i++)
        entry->counters[i] = base_metrics_counter(
            series->metrics, series->names[i], series->label_key, text);
}

struct series *series_new(struct base_metrics *metrics,
                          const char *const *names, const char *label_key,
                          size_t labels_max)
{
    struct series *series;

    BASE_NEW(series);
    pthread_mutex_init(&series->lock, NULL);
    series->metrics = metrics;
    series->label_key = label_key;
    series->labels_max = labels_max;
    for (; names[series->name_count] != NULL; series->name_count++) {
        assert(series->name_count < SERIES_NAMES_MAX);
        series->names[series->name_count] = names[series->name_count];
    }
    fill(series, OTHER, &series->other);
    return series;
}

void series_free(struct series *series)
{
    struct label *label, *next;

    if (series == NULL)
        return;
    HASH_ITER(hh, series->labels, label, next)
    {
        HASH_DEL(series->labels, label);
        base_free(label->text);
        base_free(label);
    }
    pthread_mutex_destroy(&series->lock);
    base_free(series);
}

static const struct series_entry *get(struct series *series, const char *text)
{
    struct label *label;

    HASH_FIND_STR(series->labels, text, label);
    if (label != NULL)
        return &label->entry;
    if (HASH_COUNT(series->labels) >= series->labels_max)
        return &series->other;
    BASE_NEW(label);
    label->text = base_strdup(text);
    fill(series, text, &label->entry);
    HASH_ADD_KEYPTR(hh, series->labels, label->text, strlen(label->text),
                    label);
    return &label->entry;
}

const struct series_entry *series_get(struct series *series, const char *text)
{
    const struct series_entry *entry;

    pthread_mutex_lock(&series->lock);
    entry = get(series, text);
    pthread_mutex_unlock(&series->lock);
    return entry;
}
