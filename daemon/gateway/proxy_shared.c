/* The names of the numbers; what they mean is in proxy.h. */
#include "gateway/proxy_shared.h"

#include "base/alloc.h"

#define NAME_LABELS_MAX 1024u
#define ROW_LABELS_MAX 512u

static const char *const refused_labels[] = {
#define X(name, label) label,
    PROXY_REFUSED_MAP(X)
#undef X
};

static const char *const ended_labels[] = {[RELAY_FINISHED] = "finished",
                                           [RELAY_BROKEN] = "broken",
                                           [RELAY_IDLE] = "idle",
                                           [RELAY_SILENT] = "silent",
                                           [RELAY_DRAINED] = "drained"};

const char *proxy_refused_label(enum proxy_refused reason)
{
    return refused_labels[reason];
}

const char *proxy_ended_label(enum relay_end_reason reason)
{
    return ended_labels[reason];
}

static void make_series(struct proxy_shared *shared,
                        struct base_metrics *metrics)
{
    static const char *const names[] = {"isthmus.gateway.connections", NULL};
    static const char *const rows[] = {
        [SERIES_CONNECTIONS] = "isthmus.gateway.route.connections",
        [SERIES_BYTES_IN] = "isthmus.gateway.route.bytes_in",
        [SERIES_BYTES_OUT] = "isthmus.gateway.route.bytes_out",
        NULL};
    static const char *const targets[] = {
        [SERIES_CONNECTIONS] = "isthmus.gateway.target.connections",
        [SERIES_BYTES_IN] = "isthmus.gateway.target.bytes_in",
        [SERIES_BYTES_OUT] = "isthmus.gateway.target.bytes_out",
        NULL};
    static const char *const dials[] = {"isthmus.gateway.dial_failed", NULL};

    shared->names = series_new(metrics, names, "sni", NAME_LABELS_MAX);
    shared->rows = series_new(metrics, rows, "route", ROW_LABELS_MAX);
    shared->dialled = series_new(metrics, targets, "target", ROW_LABELS_MAX);
    shared->dials_failed = series_new(metrics, dials, "route", ROW_LABELS_MAX);
}

struct proxy_shared *proxy_shared_new(struct base_metrics *metrics,
                                      size_t connections_max,
                                      size_t per_source_max)
{
    struct proxy_shared *shared;
    size_t i;

    BASE_NEW(shared);
    shared->connections_max = connections_max;
    atomic_init(&shared->conn_count, 0);
    shared->targets = targets_new();
    shared->sources = source_limit_new(per_source_max);
    make_series(shared, metrics);
    for (i = 0; i < RELAY_REASONS; i++)
        shared->ended[i] = base_metrics_counter(
            metrics, "isthmus.gateway.ended", "reason", ended_labels[i]);
    for (i = 0; i < PROXY_REFUSED_COUNT; i++)
        shared->refused[i] = base_metrics_counter(
            metrics, "isthmus.gateway.refused", "reason", refused_labels[i]);
    shared->hello_bytes = base_metrics_counter(
        metrics, "isthmus.gateway.hello_bytes", NULL, NULL);
    shared->open =
        base_metrics_gauge(metrics, "isthmus.gateway.open", NULL, NULL);
    return shared;
}

void proxy_shared_free(struct proxy_shared *shared)
{
    if (shared == NULL)
        return;
    targets_free(shared->targets);
    source_limit_free(shared->sources);
    series_free(shared->names);
    series_free(shared->rows);
    series_free(shared->dialled);
    series_free(shared->dials_failed);
    base_free(shared);
}
