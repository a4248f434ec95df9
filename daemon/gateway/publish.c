/*
 * One text is under way at a time: write, check, rename, tell. One that comes
 * meanwhile waits for the end of that, and only the last waits.
 */
#include "gateway/publish.h"

#include <assert.h>
#include <string.h>
#include <unistd.h>

#include "base/alloc.h"
#include "base/error.h"
#include "gateway/child.h"
#include "gateway/file_job.h"
#include "gateway/haproxy_live.h"

#define CHECK_TIMEOUT_MS 30000u
#define RELOAD_TIMEOUT_MS 60000u
#define RETRY_FIRST_MS 2000u
#define RETRY_LAST_MS 60000u

enum result {
    PLACED,
    CHANGED,
    REFUSED,
    NO_CHECKER,
    RELOAD_FAILED,
    CANNOT_WRITE,
    NOT_CHANGED, /* no end: a reload follows */
    RESULT_COUNT
};

struct publisher {
    struct publisher_config config;
    struct base_log log;
    char *fresh_path, *refused_path;
    char *wanted; /* the last that was asked for */
    char *trying; /* under way; NULL: nothing is */
    char *placed; /* in place, and the proxy knows; NULL: not known */
    /* What the text under way waits for; one of them, or none. */
    struct file_job *job;
    struct child *child;
    struct haproxy_live *live;
    struct base_timer again;
    uint32_t retry_ms;
    struct base_counter *results[RESULT_COUNT];
};

static void step(void *arg);

/* ---- ends -----------------------------------------------------------------
 */

static void succeed(struct publisher *publisher, enum result result)
{
    base_counter_add(publisher->results[result], 1);
    base_log(&publisher->log, BASE_LOG_INFO,
             result == CHANGED ? "configuration is in place, with no reload"
                               : "configuration is in place",
             kv_str("file", publisher->config.path));
    publisher->placed = publisher->trying;
    publisher->trying = NULL;
    publisher->retry_ms = RETRY_FIRST_MS;
    step(publisher);
    publisher->config.on_placed(publisher->config.arg);
}

/* A failure is not held against another text. */
static void fail(struct publisher *publisher, enum result result)
{
    bool same = strcmp(publisher->trying, publisher->wanted) == 0;

    base_counter_add(publisher->results[result], 1);
    base_timer_start_ms(&publisher->again, same ? publisher->retry_ms : 0);
    publisher->retry_ms *= 2;
    if (publisher->retry_ms > RETRY_LAST_MS)
        publisher->retry_ms = RETRY_LAST_MS;
    base_free(publisher->trying);
    publisher->trying = NULL;
}

static void cannot_write(struct publisher *publisher, int rv)
{
    base_log(&publisher->log, BASE_LOG_ERROR, "cannot write",
             kv_str("file", publisher->config.path),
             kv_str("error", base_strerror(rv)));
    fail(publisher, CANNOT_WRITE);
}

/* ---- telling the proxy ----------------------------------------------------
 */

static void on_running(void *arg, enum haproxy_live_result result,
                       const char *why)
{
    struct publisher *publisher = arg;

    publisher->live = NULL;
    if (result == HAPROXY_RUNS_IT) {
        succeed(publisher, PLACED);
        return;
    }
    base_log(&publisher->log, BASE_LOG_ERROR,
             "HAProxy was reloaded, and does not run the file",
             kv_str("file", publisher->config.path),
             kv_str("socket", publisher->config.socket), kv_str("error", why));
    fail(publisher, RELOAD_FAILED);
}

static void on_reloaded(void *arg, int status)
{
    struct publisher *publisher = arg;
    const struct publisher_config *config = &publisher->config;

    publisher->child = NULL;
    if (status != 0) {
        base_log(&publisher->log, BASE_LOG_ERROR,
                 "the reload command failed; the proxy runs what it had",
                 kv_str("command", config->reload_command),
                 kv_int("status", status),
                 kv_str("error", status < 0 ? base_strerror(status) : ""));
        fail(publisher, RELOAD_FAILED);
    } else if (config->socket != NULL) {
        publisher->live =
            haproxy_live_await(config->loop, config->socket, publisher->trying,
                               on_running, publisher);
    } else {
        succeed(publisher, PLACED);
    }
}

static void reload(struct publisher *publisher)
{
    const struct publisher_config *config = &publisher->config;
    const char *const words[] = {"sh", "-c", config->reload_command, NULL};

    publisher->child = child_start(config->loop, words, RELOAD_TIMEOUT_MS,
                                   on_reloaded, publisher);
}

static void on_changed(void *arg, enum haproxy_live_result result,
                       const char *why)
{
    struct publisher *publisher = arg;

    publisher->live = NULL;
    if (result == HAPROXY_RUNS_IT) {
        succeed(publisher, CHANGED);
        return;
    }
    if (result == HAPROXY_REFUSED) {
        base_counter_add(publisher->results[NOT_CHANGED], 1);
        base_log(&publisher->log, BASE_LOG_WARN,
                 "HAProxy takes no change of its servers, and is reloaded",
                 kv_str("socket", publisher->config.socket),
                 kv_str("why", why));
    }
    reload(publisher);
}

static void tell_proxy(struct publisher *publisher)
{
    const struct publisher_config *config = &publisher->config;

    if (config->reload_command == NULL)
        succeed(publisher, PLACED);
    else if (config->socket != NULL)
        publisher->live =
            haproxy_live_change(config->loop, config->socket,
                                publisher->trying, on_changed, publisher);
    else
        reload(publisher);
}

/* ---- getting it into place ------------------------------------------------
 */

static void on_renamed(void *arg, int status)
{
    struct publisher *publisher = arg;

    publisher->job = NULL;
    if (status < 0) {
        cannot_write(publisher, status);
        return;
    }
    unlink(publisher->refused_path); /* of the past */
    /* Should the rest fail, the one before is not in place any more. */
    base_free(publisher->placed);
    publisher->placed = NULL;
    tell_proxy(publisher);
}

static void refuse(struct publisher *publisher, int status)
{
    file_job_forget(file_job_rename(base_loop_env(publisher->config.loop),
                                    publisher->fresh_path,
                                    publisher->refused_path, NULL, NULL));
    base_log(&publisher->log, BASE_LOG_ERROR,
             "configuration was refused; the last one stays",
             kv_str("by", publisher->config.checker[0]),
             kv_int("status", status), kv_str("see", publisher->refused_path));
    fail(publisher, REFUSED);
}

static void on_checked(void *arg, int status)
{
    struct publisher *publisher = arg;

    publisher->child = NULL;
    if (status == 0) {
        publisher->job = file_job_rename(
            base_loop_env(publisher->config.loop), publisher->fresh_path,
            publisher->config.path, on_renamed, publisher);
    } else if (status > 0) {
        refuse(publisher, status);
    } else {
        base_log(&publisher->log, BASE_LOG_ERROR,
                 "the checker cannot be run, so nothing is put in place; "
                 "install the proxy, or name it with -proxy-binary",
                 kv_str("checker", publisher->config.checker[0]),
                 kv_str("error", base_strerror(status)));
        fail(publisher, NO_CHECKER);
    }
}

static void on_written(void *arg, int status)
{
    struct publisher *publisher = arg;
    const struct publisher_config *config = &publisher->config;
    const char *words[PUBLISHER_CHECKER_WORDS_MAX + 2] = {NULL};

    publisher->job = NULL;
    if (status < 0) {
        cannot_write(publisher, status);
        return;
    }
    memcpy(words, config->checker,
           config->checker_count * sizeof(*config->checker));
    words[config->checker_count] = publisher->fresh_path;
    publisher->child = child_start(config->loop, words, CHECK_TIMEOUT_MS,
                                   on_checked, publisher);
}

static void step(void *arg)
{
    struct publisher *publisher = arg;

    if (publisher->trying != NULL || publisher->wanted == NULL ||
        (publisher->placed != NULL &&
         strcmp(publisher->wanted, publisher->placed) == 0))
        return;
    base_timer_stop(&publisher->again);
    publisher->trying = base_strdup(publisher->wanted);
    publisher->job = file_job_write(base_loop_env(publisher->config.loop),
                                    publisher->fresh_path, publisher->trying,
                                    on_written, publisher);
}

void publisher_set(struct publisher *publisher, char *text)
{
    bool same =
        publisher->wanted != NULL && strcmp(publisher->wanted, text) == 0;

    base_free(publisher->wanted);
    publisher->wanted = text;
    if (same)
        return; /* keeps its time of waiting */
    publisher->retry_ms = RETRY_FIRST_MS;
    base_timer_start_ms(&publisher->again, 0);
}

/* ---- life -----------------------------------------------------------------
 */

struct publisher *publisher_new(const struct publisher_config *config)
{
    static const char *const labels[RESULT_COUNT] = {
        [PLACED] = "placed",
        [CHANGED] = "changed",
        [REFUSED] = "refused",
        [NO_CHECKER] = "no_checker",
        [RELOAD_FAILED] = "reload_failed",
        [CANNOT_WRITE] = "cannot_write",
        [NOT_CHANGED] = "not_changed"};
    struct base_env *env = base_loop_env(config->loop);
    struct publisher *publisher;
    size_t i;

    assert(config->checker_count <= PUBLISHER_CHECKER_WORDS_MAX);
    BASE_NEW(publisher);
    publisher->config = *config;
    publisher->log = base_log_named(&env->log, "gateway");
    publisher->fresh_path = base_asprintf("%s.new", config->path);
    publisher->refused_path = base_asprintf("%s.refused", config->path);
    publisher->retry_ms = RETRY_FIRST_MS;
    base_timer_init(&publisher->again, env, "publish", step, publisher);
    for (i = 0; i < RESULT_COUNT; i++)
        publisher->results[i] =
            base_metrics_counter(env->metrics, "isthmus.gateway.published",
                                 "result", labels[i]);
    return publisher;
}

void publisher_free(struct publisher *publisher)
{
    if (publisher == NULL)
        return;
    base_timer_stop(&publisher->again);
    file_job_forget(publisher->job);
    child_free(publisher->child);
    haproxy_live_free(publisher->live);
    base_free(publisher->fresh_path);
    base_free(publisher->refused_path);
    base_free(publisher->wanted);
    base_free(publisher->trying);
    base_free(publisher->placed);
    base_free(publisher);
}
