/*
 * The log streams in a thread of its own, on a connection of its own; all else
 * is asked for one after the other meanwhile.
 */
#include "cli/debug_bundle.h"

#include <inttypes.h>
#include <pthread.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <time.h>

#include "base/alloc.h"
#include "base/error.h"
#include "cli/http_link.h"
#include "snapshot/tar.h"

#define LOG_BYTES_MAX (32u << 20)
#define METRICS_MAX 1000u

static const struct {
    enum debug_capture capture;
    const char *file, *path;
} once[] = {
    {DEBUG_AGENT, "agent.json", "/v1/agent/self"},
    {DEBUG_MEMBERS, "members.json", "/v1/agent/members"},
    {DEBUG_MEMBERS, "members-wan.json", "/v1/agent/members?wan=1"},
    {DEBUG_RAFT, "raft.json", "/v1/operator/raft/configuration?stale=1"},
    {DEBUG_FEDERATION, "federation-status.json",
     "/v1/internal/federation-status?stale=1"},
    {DEBUG_FEDERATION, "federation-states.json",
     "/v1/internal/federation-states?stale=1"},
};

struct bundle {
    struct http_target target;
    struct base_buf *tar;
    json_t *files; /* of the index: a name, and what is wrong with it or null */
    size_t got;
};

/* ---- files of it ---------------------------------------------------------- */

/* All in one folder. */
static void add_file(struct bundle *bundle, const char *name, const void *data,
                     size_t len)
{
    char path[TAR_NAME_MAX + 1];

    snprintf(path, sizeof(path), "isthmus-debug/%s", name);
    tar_add(bundle->tar, path, data, len);
}

static void add_json(struct bundle *bundle, const char *name, json_t *value)
{
    char *text = json_dumps(value, JSON_INDENT(2) | JSON_ENCODE_ANY);

    add_file(bundle, name, text, strlen(text));
    free(text);
}

/* It is there, or *why says why not, which is freed. */
static void note(struct bundle *bundle, const char *name, char *why)
{
    if (why)
        fprintf(stderr, "isthmus debug: %s: %s\n", name, why);
    else
        bundle->got++;
    json_object_set_new(bundle->files, name,
                        why ? json_string(why) : json_null());
    base_free(why);
}

static void capture(struct bundle *bundle, const char *name, const char *path)
{
    json_t *answer = NULL;
    char *why = NULL;

    if (http_json(&bundle->target, "GET", path, &answer, &why) == 0) {
        debug_hide(answer, bundle->target.token);
        add_json(bundle, name, answer);
        json_decref(answer);
    }
    note(bundle, name, why);
}

/* ---- the log -------------------------------------------------------------- */

struct log_stream {
    struct http_target target;
    uint32_t limit_ms;
    struct base_buf text;
    size_t dropped; /* lines */
    char *why;
    pthread_t thread;
    bool running;
};

static void on_line(void *ctx, const char *line)
{
    struct log_stream *log = ctx;
    char *shown;

    if (base_buf_len(&log->text) > LOG_BYTES_MAX) {
        log->dropped++;
        return;
    }
    shown = debug_hide_text(line, log->target.token);
    base_buf_printf(&log->text, "%s\n", shown);
    base_free(shown);
}

static void *follow_log(void *arg)
{
    struct log_stream *log = arg;

    http_lines(&log->target, "GET", "/v1/agent/monitor?loglevel=debug", "", 0,
               log->limit_ms, on_line, log, &log->why);
    return NULL;
}

static void log_start(struct log_stream *log,
                      const struct http_options *options, uint32_t limit_ms)
{
    log->limit_ms = limit_ms;
    if (http_target_init(&log->target, options, &log->why) < 0)
        return;
    log->running = pthread_create(&log->thread, NULL, follow_log, log) == 0;
    if (!log->running)
        log->why = base_strdup("no thread to be had");
}

static void log_end(struct log_stream *log, struct bundle *bundle)
{
    if (log->running)
        pthread_join(log->thread, NULL);
    if (log->dropped > 0)
        base_buf_printf(&log->text, "(%zu more lines left out)\n",
                        log->dropped);
    if (log->why == NULL)
        add_file(bundle, "isthmus.log", base_buf_data(&log->text),
                 base_buf_len(&log->text));
    note(bundle, "isthmus.log", log->why);
    base_buf_close(&log->text);
    http_target_close(&log->target);
}

/* ---- all of it ------------------------------------------------------------ */

static void sleep_ms(uint64_t ms)
{
    struct timespec time = {(time_t)(ms / 1000), (long)(ms % 1000) * 1000000};

    nanosleep(&time, NULL);
}

/* Metrics at once, at each interval, and at the end. */
static void wait_and_measure(struct bundle *bundle,
                             const struct debug_plan *plan)
{
    uint64_t end = http_link_now_ms() + plan->duration_ms, now;
    bool measures = (plan->captures & DEBUG_METRICS) != 0;
    unsigned number = 0;
    char name[32];

    do {
        snprintf(name, sizeof(name), "metrics/%04u.json", number);
        if (measures && number++ < METRICS_MAX)
            capture(bundle, name, "/v1/agent/metrics");
        now = http_link_now_ms();
        if (now < end)
            sleep_ms(plan->interval_ms < end - now ? plan->interval_ms
                                                   : end - now);
    } while (now < end);
}

static void add_index(struct bundle *bundle, const struct debug_plan *plan)
{
    char when[32];
    time_t now = time(NULL);
    struct tm utc;
    json_t *index;

    strftime(when, sizeof(when), "%Y-%m-%dT%H:%M:%SZ", gmtime_r(&now, &utc));
    index = json_pack("{s:s, s:s, s:I, s:I, s:O}", "Version", ISTHMUS_VERSION,
                      "Finished", when, "DurationMs",
                      (json_int_t)plan->duration_ms, "IntervalMs",
                      (json_int_t)plan->interval_ms, "Files", bundle->files);
    add_json(bundle, "index.json", index);
    json_decref(index);
}

static void gather(struct bundle *bundle, const struct http_options *options,
                   const struct debug_plan *plan)
{
    struct log_stream log = {.text = BASE_BUF_INIT};
    size_t i;

    if (plan->captures & DEBUG_LOGS)
        log_start(&log, options, plan->duration_ms);
    for (i = 0; i < BASE_COUNT_OF(once); i++)
        if (plan->captures & once[i].capture)
            capture(bundle, once[i].file, once[i].path);
    if (plan->captures & (DEBUG_LOGS | DEBUG_METRICS))
        wait_and_measure(bundle, plan);
    if (plan->captures & DEBUG_LOGS)
        log_end(&log, bundle);
    add_index(bundle, plan);
    tar_end(bundle->tar);
}

int debug_gather(const struct http_options *options,
                 const struct debug_plan *plan, struct base_buf *tar,
                 char **why)
{
    struct bundle bundle = {.tar = tar};
    json_t *self = NULL;
    int rv = http_target_init(&bundle.target, options, why);

    if (rv < 0)
        return rv;
    /* An agent that is not there need not be waited for. */
    rv = http_json(&bundle.target, "GET", "/v1/status/leader", &self, why);
    json_decref(self);
    if (rv == BASE_EIO) { /* it answered, if only that it has no leader */
        base_free(*why);
        *why = NULL;
        rv = 0;
    }
    if (rv == 0) {
        bundle.files = json_object();
        gather(&bundle, options, plan);
        json_decref(bundle.files);
        if (bundle.got == 0) {
            *why = base_strdup("the agent refused all of it");
            rv = BASE_EACCESS;
        }
    }
    http_target_close(&bundle.target);
    return rv;
}
