/*
 * One text is under way at a time: write, check, rename, reload. One that comes
 * meanwhile waits for the end of that, and only the last waits. After a failure
 * the same text is tried again, after a while.
 */
#include "gateway/publish.h"

#include <assert.h>
#include <errno.h>
#include <fcntl.h>
#include <stdio.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#include "base/alloc.h"
#include "base/error.h"
#include "gateway/child.h"

#define CHECK_TIMEOUT_MS 30000u
#define RELOAD_TIMEOUT_MS 60000u
#define RETRY_MS 5000u
#define FILE_MODE 0644

enum result { PLACED, REFUSED, RELOAD_FAILED, CANNOT_WRITE, RESULT_COUNT };

struct publisher {
    struct publisher_config config;
    struct base_log log;
    char *fresh_path, *refused_path;
    char *wanted; /* the last that was asked for */
    char *trying; /* under way; NULL: nothing is */
    char *placed; /* in place, and the proxy knows; NULL: not known */
    struct child *child;
    struct base_timer again;
    struct base_counter *results[RESULT_COUNT];
};

static void step(void *arg);

/* Over for this time. A failure is not held against another text. */
static void finish(struct publisher *publisher, enum result result)
{
    base_counter_add(publisher->results[result], 1);
    if (result == PLACED) {
        base_free(publisher->placed);
        publisher->placed = publisher->trying;
    } else {
        base_timer_start_ms(&publisher->again,
                            strcmp(publisher->trying, publisher->wanted) == 0
                                ? RETRY_MS
                                : 0);
        base_free(publisher->trying);
    }
    publisher->trying = NULL;
    if (result == PLACED) {
        step(publisher);
        publisher->config.on_placed(publisher->config.arg);
    }
}

/* ---- writing --------------------------------------------------------------
 */

static int write_all(int fd, const char *text)
{
    size_t left = strlen(text);

    while (left > 0) {
        ssize_t sent = write(fd, text, left);

        if (sent < 0 && errno == EINTR)
            continue;
        if (sent < 0)
            return base_error_from_errno(errno);
        text += sent;
        left -= (size_t)sent;
    }
    return fsync(fd) < 0 ? base_error_from_errno(errno) : 0;
}

static int write_fresh(const struct publisher *publisher)
{
    int fd = open(publisher->fresh_path,
                  O_WRONLY | O_CREAT | O_TRUNC | O_CLOEXEC | O_NOFOLLOW,
                  FILE_MODE);
    int rv;

    if (fd < 0)
        return base_error_from_errno(errno);
    rv = write_all(fd, publisher->trying);
    if (close(fd) < 0 && rv == 0)
        rv = base_error_from_errno(errno);
    return rv;
}

/* ---- the steps ------------------------------------------------------------
 */

static void on_reloaded(void *arg, int status)
{
    struct publisher *publisher = arg;

    publisher->child = NULL;
    if (status != 0) {
        base_log(&publisher->log, BASE_LOG_ERROR, "reload command failed",
                 kv_int("status", status),
                 kv_str("error", status < 0 ? base_strerror(status) : NULL));
        finish(publisher, RELOAD_FAILED);
        return;
    }
    base_log(&publisher->log, BASE_LOG_INFO, "configuration is in place",
             kv_str("file", publisher->config.path));
    finish(publisher, PLACED);
}

static void reload(struct publisher *publisher)
{
    const char *const words[] = {
        "sh", "-c", publisher->config.reload_command, NULL};

    if (publisher->config.reload_command == NULL)
        on_reloaded(publisher, 0);
    else
        publisher->child =
            child_start(publisher->config.loop, words, RELOAD_TIMEOUT_MS,
                        on_reloaded, publisher);
}

static void cannot_write(struct publisher *publisher, int rv)
{
    base_log(&publisher->log, BASE_LOG_ERROR, "cannot write",
             kv_str("file", publisher->config.path),
             kv_str("error", base_strerror(rv)));
    finish(publisher, CANNOT_WRITE);
}

static void on_checked(void *arg, int status)
{
    struct publisher *publisher = arg;

    publisher->child = NULL;
    if (status != 0) {
        rename(publisher->fresh_path, publisher->refused_path);
        base_log(&publisher->log, BASE_LOG_ERROR,
                 "configuration was refused; the last one stays",
                 kv_str("by", publisher->config.checker[0]),
                 kv_int("status", status),
                 kv_str("error", status < 0 ? base_strerror(status) : NULL),
                 kv_str("see", publisher->refused_path));
        finish(publisher, REFUSED);
        return;
    }
    if (rename(publisher->fresh_path, publisher->config.path) < 0) {
        cannot_write(publisher, base_error_from_errno(errno));
        return;
    }
    unlink(publisher->refused_path); /* of the past */
    reload(publisher);
}

static void check(struct publisher *publisher)
{
    const struct publisher_config *config = &publisher->config;
    const char *words[PUBLISHER_CHECKER_WORDS_MAX + 2] = {NULL};

    memcpy(words, config->checker,
           config->checker_count * sizeof(*config->checker));
    words[config->checker_count] = publisher->fresh_path;
    publisher->child = child_start(config->loop, words, CHECK_TIMEOUT_MS,
                                   on_checked, publisher);
}

static void step(void *arg)
{
    struct publisher *publisher = arg;
    int rv;

    if (publisher->trying != NULL || publisher->wanted == NULL ||
        (publisher->placed != NULL &&
         strcmp(publisher->wanted, publisher->placed) == 0))
        return;
    base_timer_stop(&publisher->again);
    publisher->trying = base_strdup(publisher->wanted);
    rv = write_fresh(publisher);
    if (rv < 0)
        cannot_write(publisher, rv);
    else
        check(publisher);
}

void publisher_set(struct publisher *publisher, char *text)
{
    bool same =
        publisher->wanted != NULL && strcmp(publisher->wanted, text) == 0;

    base_free(publisher->wanted);
    publisher->wanted = text;
    /* The same text again keeps its time of waiting. */
    if (!same)
        base_timer_start_ms(&publisher->again, 0);
}

/* ---- life -----------------------------------------------------------------
 */

struct publisher *publisher_new(const struct publisher_config *config)
{
    static const char *const labels[RESULT_COUNT] = {
        [PLACED] = "placed",
        [REFUSED] = "refused",
        [RELOAD_FAILED] = "reload_failed",
        [CANNOT_WRITE] = "cannot_write"};
    struct base_env *env = base_loop_env(config->loop);
    struct publisher *publisher;
    size_t i;

    assert(config->checker_count <= PUBLISHER_CHECKER_WORDS_MAX);
    BASE_NEW(publisher);
    publisher->config = *config;
    publisher->log = base_log_named(&env->log, "gateway");
    publisher->fresh_path = base_asprintf("%s.new", config->path);
    publisher->refused_path = base_asprintf("%s.refused", config->path);
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
    child_free(publisher->child);
    base_free(publisher->fresh_path);
    base_free(publisher->refused_path);
    base_free(publisher->wanted);
    base_free(publisher->trying);
    base_free(publisher->placed);
    base_free(publisher);
}
