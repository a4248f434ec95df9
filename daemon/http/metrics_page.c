/* JSON, as Consul's /v1/agent/metrics. */
#include "http/metrics_page.h"

#include <stdio.h>
#include <string.h>
#include <time.h>

#include "http/json_put.h"

struct lists {
    json_t *gauges, *counters, *samples;
};

static json_t *series(const struct base_metric *metric)
{
    json_t *object = json_object(), *labels = json_object();

    json_put_text(object, "Name", metric->name);
    if (metric->label_key)
        json_put_text(labels, metric->label_key, metric->label_value);
    json_put(object, "Labels", labels);
    return object;
}

static void add(void *arg, const struct base_metric *metric)
{
    struct lists *lists = arg;
    json_t *object = series(metric);

    switch (metric->kind) {
    case BASE_METRIC_GAUGE:
        json_put(object, "Value", json_integer((json_int_t)metric->gauge));
        json_array_append_new(lists->gauges, object);
        break;
    case BASE_METRIC_COUNTER:
        json_put_uint(object, "Count", metric->count);
        json_put_uint(object, "Sum", metric->count);
        json_array_append_new(lists->counters, object);
        break;
    case BASE_METRIC_HISTOGRAM:
        json_put_uint(object, "Count", metric->count);
        json_put_uint(object, "Sum", metric->sum);
        json_put_uint(object, "Max", metric->max);
        json_put(object, "Mean",
                 json_real(metric->count ? (double)metric->sum /
                                               (double)metric->count
                                         : 0));
        json_array_append_new(lists->samples, object);
        break;
    }
}

static void put_time(json_t *object, int64_t wall_ns)
{
    time_t seconds = (time_t)(wall_ns / 1000000000);
    char text[64];
    struct tm utc;

    gmtime_r(&seconds, &utc);
    strftime(text, sizeof(text), "%Y-%m-%d %H:%M:%S +0000 UTC", &utc);
    json_put_text(object, "Timestamp", text);
}

json_t *metrics_page_json(struct base_metrics *metrics, int64_t wall_ns)
{
    struct lists lists = {json_array(), json_array(), json_array()};
    json_t *object = json_object();

    if (metrics)
        base_metrics_each(metrics, add, &lists);
    put_time(object, wall_ns);
    json_put(object, "Gauges", lists.gauges);
    json_put(object, "Points", json_array());
    json_put(object, "Counters", lists.counters);
    json_put(object, "Samples", lists.samples);
    return object;
}
