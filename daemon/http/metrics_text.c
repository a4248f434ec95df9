/*
 * Prometheus's text format. All series of one name must stand together, so they
 * are copied out of the registry and sorted first.
 */
#include <inttypes.h>
#include <stdio.h>
#include <stdbool.h>
#include <stdlib.h>
#include <string.h>

#include "base/alloc.h"
#include "http/metrics_page.h"

struct copies {
    struct base_metric *items;
    size_t count, room;
};

static void add(void *arg, const struct base_metric *metric)
{
    struct copies *copies = arg;

    if (copies->count == copies->room) {
        copies->room = copies->room * 2 + 64;
        copies->items = base_reallocarray(copies->items, copies->room,
                                          sizeof(*copies->items));
    }
    copies->items[copies->count++] = *metric; /* names live as long as it */
}

static int by_name(const void *a, const void *b)
{
    const struct base_metric *x = a, *y = b;
    int order = strcmp(x->name, y->name);

    if (order == 0)
        order = (int)x->kind - (int)y->kind;
    if (order == 0 && x->label_value && y->label_value)
        order = strcmp(x->label_value, y->label_value);
    return order;
}

/* What a name's unit is in Prometheus's, seconds: the factor; 1: none. */
static double factor_of(const char *name)
{
    size_t len = strlen(name);

    if (len > 3 && strcmp(name + len - 3, "_us") == 0)
        return 1e-6;
    if (len > 3 && strcmp(name + len - 3, "_ms") == 0)
        return 1e-3;
    return 1;
}

static char *family_of(const struct base_metric *metric)
{
    struct base_buf out = BASE_BUF_INIT;
    size_t len = strlen(metric->name), i;
    bool seconds = factor_of(metric->name) < 1;

    if (seconds)
        len -= 3;
    for (i = 0; i < len; i++) {
        char c = metric->name[i];
        bool plain = (c >= 'a' && c <= 'z') || (c >= 'A' && c <= 'Z') ||
                     (c >= '0' && c <= '9' && i > 0);

        base_buf_append_u8(&out, (uint8_t)(plain ? c : '_'));
    }
    base_buf_printf(&out, "%s%s", seconds ? "_seconds" : "",
                    metric->kind == BASE_METRIC_COUNTER ? "_total" : "");
    return base_buf_take_string(&out);
}

static void put_label_value(struct base_buf *out, const char *value)
{
    for (; *value != '\0'; value++) {
        if (*value == '\n')
            base_buf_append(out, "\\n", 2);
        else if (*value == '"' || *value == '\\')
            base_buf_printf(out, "\\%c", *value);
        else
            base_buf_append_u8(out, (uint8_t)*value);
    }
}

/* {key="value",le="1"}; le may be NULL. */
static void put_labels(struct base_buf *out, const struct base_metric *metric,
                       const char *le)
{
    const char *comma = "";

    if (metric->label_key == NULL && le == NULL)
        return;
    base_buf_append_u8(out, '{');
    if (metric->label_key) {
        base_buf_printf(out, "%s=\"", metric->label_key);
        put_label_value(out, metric->label_value);
        base_buf_append_u8(out, '"');
        comma = ",";
    }
    if (le)
        base_buf_printf(out, "%sle=\"%s\"", comma, le);
    base_buf_append_u8(out, '}');
}

static void put_line(struct base_buf *out, const char *family,
                     const char *suffix, const struct base_metric *metric,
                     const char *le)
{
    base_buf_printf(out, "%s%s", family, suffix);
    put_labels(out, metric, le);
    base_buf_append_u8(out, ' ');
}

static void put_histogram(struct base_buf *out, const char *family,
                          const struct base_metric *metric)
{
    double factor = factor_of(metric->name);
    size_t i;

    /* Every second bucket is fine enough, and always the same ones, so that
     * series can be added up. Bucket i holds the whole numbers below 2^i. */
    for (i = 0; i < BASE_HISTOGRAM_BUCKETS; i += 2) {
        char le[32];

        snprintf(le, sizeof(le), "%.9g",
                 (double)((UINT64_C(1) << i) - 1) * factor);
        put_line(out, family, "_bucket", metric, le);
        base_buf_printf(out, "%" PRIu64 "\n", metric->buckets[i]);
    }
    put_line(out, family, "_bucket", metric, "+Inf");
    base_buf_printf(out, "%" PRIu64 "\n", metric->count);
    put_line(out, family, "_sum", metric, NULL);
    base_buf_printf(out, "%.17g\n", (double)metric->sum * factor);
    put_line(out, family, "_count", metric, NULL);
    base_buf_printf(out, "%" PRIu64 "\n", metric->count);
}

static void put_value(struct base_buf *out, const char *family,
                      const struct base_metric *metric)
{
    double factor = factor_of(metric->name);

    if (metric->kind == BASE_METRIC_HISTOGRAM) {
        put_histogram(out, family, metric);
        return;
    }
    put_line(out, family, "", metric, NULL);
    if (factor < 1)
        base_buf_printf(out, "%.17g\n",
                        factor * (metric->kind == BASE_METRIC_GAUGE
                                      ? (double)metric->gauge
                                      : (double)metric->count));
    else if (metric->kind == BASE_METRIC_GAUGE)
        base_buf_printf(out, "%" PRId64 "\n", metric->gauge);
    else
        base_buf_printf(out, "%" PRIu64 "\n", metric->count);
}

void metrics_page_prometheus(struct base_metrics *metrics, struct base_buf *out)
{
    static const char *const kinds[] = {"counter", "gauge", "histogram"};
    struct copies copies = {0};
    char *family = NULL, *last = NULL;
    size_t i;

    if (metrics)
        base_metrics_each(metrics, add, &copies);
    if (copies.count > 0)
        qsort(copies.items, copies.count, sizeof(*copies.items), by_name);
    for (i = 0; i < copies.count; i++) {
        const struct base_metric *metric = &copies.items[i];

        family = family_of(metric);
        if (last == NULL || strcmp(family, last) != 0)
            base_buf_printf(out, "# HELP %s %s\n# TYPE %s %s\n", family,
                            metric->name, family, kinds[metric->kind]);
        put_value(out, family, metric);
        base_free(last);
        last = family;
    }
    base_free(last);
    base_free(copies.items);
}
