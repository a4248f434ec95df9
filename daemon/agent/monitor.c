/* Copies of the log's lines, from any thread to the main loop. */
#include "agent/monitor.h"

#include <assert.h>
#include <pthread.h>
#include <stdatomic.h>
#include <string.h>

#include "base/alloc.h"
#include "base/error.h"

struct monitor {
    struct monitor_hub *hub;
    enum base_log_level level;
    bool json;
    monitor_line_fn on_line;
    void *ctx;
    struct monitor *next;

    /* under the hub's lock */
    char *lines[MONITOR_LINES_MAX];
    size_t count;
    size_t dropped;  /* not told yet */
    size_t overflow; /* of them, not counted yet */
};

struct monitor_hub {
    struct base_log_sink sink;
    const struct base_log_sink *below;
    atomic_int level; /* of below */
    struct base_env *main;
    atomic_int lowest; /* level that some monitor wants; OFF: none */
    pthread_mutex_t lock;
    struct monitor *monitors; /* changed by the main loop, under the lock */
    bool posted;              /* the main loop is about to look */
};

/* ---- any thread ----------------------------------------------------------- */

static void push(struct monitor *monitor, char *line)
{
    if (monitor->count < MONITOR_LINES_MAX) {
        monitor->lines[monitor->count++] = line;
    } else {
        monitor->dropped++;
        monitor->overflow++;
        base_free(line);
    }
}

static void hand_out(void *arg);

static void copy_record(struct monitor_hub *hub,
                        const struct base_log_record *record)
{
    struct monitor *at;
    bool post = false;

    pthread_mutex_lock(&hub->lock);
    for (at = hub->monitors; at; at = at->next) {
        if (record->level < at->level)
            continue;
        push(at, at->json ? base_log_render_json(record)
                          : base_log_render_text(record));
        post = !hub->posted;
        hub->posted = true;
    }
    pthread_mutex_unlock(&hub->lock);
    /* A full queue: the next line tries again. */
    if (post && base_env_post(hub->main, hand_out, hub) != 0) {
        pthread_mutex_lock(&hub->lock);
        hub->posted = false;
        pthread_mutex_unlock(&hub->lock);
    }
}

static void write_record(void *ctx, const struct base_log_record *record)
{
    struct monitor_hub *hub = ctx;

    if ((int)record->level >= atomic_load(&hub->level))
        hub->below->write(hub->below->ctx, record);
    if ((int)record->level >= atomic_load(&hub->lowest))
        copy_record(hub, record);
}

static int64_t wall_ns(void *ctx)
{
    const struct monitor_hub *hub = ctx;

    return hub->below->wall_ns(hub->below->ctx);
}

/* ---- main loop ------------------------------------------------------------ */

static bool say_dropped(struct monitor *monitor, size_t dropped)
{
    struct base_kv pair = kv_uint("lines", dropped);
    struct base_log_record record = {.level = BASE_LOG_WARN,
                                     .wall_ns = wall_ns(monitor->hub),
                                     .subsystem = "monitor",
                                     .text = "lines were dropped",
                                     .pairs = &pair,
                                     .pair_count = 1};
    char *line = monitor->json ? base_log_render_json(&record)
                               : base_log_render_text(&record);
    bool said = monitor->on_line(monitor->ctx, line);

    base_free(line);
    return said;
}

static void count_dropped(struct monitor_hub *hub, size_t lines)
{
    base_counter_add(base_metrics_counter(hub->main->metrics,
                                          "isthmus.monitor.dropped", NULL,
                                          NULL),
                     lines);
}

static void serve(struct monitor *monitor)
{
    struct monitor_hub *hub = monitor->hub;
    char *lines[MONITOR_LINES_MAX];
    size_t count, dropped, overflow, refused = 0, i;

    pthread_mutex_lock(&hub->lock);
    count = monitor->count;
    dropped = monitor->dropped;
    overflow = monitor->overflow;
    memcpy(lines, monitor->lines, count * sizeof(*lines));
    monitor->count = monitor->dropped = monitor->overflow = 0;
    pthread_mutex_unlock(&hub->lock);
    for (i = 0; i < count; i++) {
        if (refused > 0 || !monitor->on_line(monitor->ctx, lines[i]))
            refused++;
        base_free(lines[i]);
    }
    count_dropped(hub, overflow + refused);
    dropped += refused;
    /* Told when there is room again. */
    if (dropped > 0 && (refused > 0 || !say_dropped(monitor, dropped))) {
        pthread_mutex_lock(&hub->lock);
        monitor->dropped += dropped;
        pthread_mutex_unlock(&hub->lock);
    }
}

static void hand_out(void *arg)
{
    struct monitor_hub *hub = arg;
    struct monitor *at;

    pthread_mutex_lock(&hub->lock);
    hub->posted = false;
    pthread_mutex_unlock(&hub->lock);
    for (at = hub->monitors; at; at = at->next)
        serve(at);
}

/* Under the lock. */
static void set_lowest(struct monitor_hub *hub)
{
    enum base_log_level lowest = BASE_LOG_OFF;
    const struct monitor *at;

    for (at = hub->monitors; at; at = at->next)
        if (at->level < lowest)
            lowest = at->level;
    atomic_store(&hub->lowest, (int)lowest);
}

int monitor_open(struct monitor_hub *hub, enum base_log_level level, bool json,
                 monitor_line_fn on_line, void *ctx, struct monitor **out)
{
    struct monitor *monitor;
    const struct monitor *at;
    size_t count = 0;

    for (at = hub->monitors; at; at = at->next)
        count++;
    if (count >= MONITORS_MAX)
        return BASE_EFULL;
    BASE_NEW(monitor);
    monitor->hub = hub;
    monitor->level = level;
    monitor->json = json;
    monitor->on_line = on_line;
    monitor->ctx = ctx;
    pthread_mutex_lock(&hub->lock);
    monitor->next = hub->monitors;
    hub->monitors = monitor;
    set_lowest(hub);
    pthread_mutex_unlock(&hub->lock);
    *out = monitor;
    return 0;
}

void monitor_close(struct monitor *monitor)
{
    struct monitor_hub *hub = monitor->hub;
    struct monitor **at = &hub->monitors;

    pthread_mutex_lock(&hub->lock);
    while (*at != monitor)
        at = &(*at)->next;
    *at = monitor->next;
    set_lowest(hub);
    pthread_mutex_unlock(&hub->lock);
    while (monitor->count > 0)
        base_free(monitor->lines[--monitor->count]);
    base_free(monitor);
}

/* ---- life ----------------------------------------------------------------- */

struct monitor_hub *monitor_hub_new(const struct base_log_sink *below,
                                    enum base_log_level level)
{
    struct monitor_hub *hub;

    BASE_NEW(hub);
    hub->below = below;
    atomic_init(&hub->level, (int)level);
    hub->sink.write = write_record;
    hub->sink.wall_ns = wall_ns;
    hub->sink.ctx = hub;
    atomic_init(&hub->lowest, BASE_LOG_OFF);
    pthread_mutex_init(&hub->lock, NULL);
    return hub;
}

void monitor_hub_set_level(struct monitor_hub *hub, enum base_log_level level)
{
    atomic_store(&hub->level, (int)level);
}

void monitor_hub_free(struct monitor_hub *hub)
{
    if (hub == NULL)
        return;
    assert(hub->monitors == NULL);
    pthread_mutex_destroy(&hub->lock);
    base_free(hub);
}

const struct base_log_sink *monitor_hub_sink(const struct monitor_hub *hub)
{
    return &hub->sink;
}

void monitor_hub_attach(struct monitor_hub *hub, struct base_env *main)
{
    hub->main = main;
}
