/*
 * The rules of a blocking query's client: ask with the index of the last
 * answer; an index that went backwards means another state, so begin anew;
 * failures back off. Answers are asked for in the default mode, which a leader
 * gives: a server that has just started knows nothing yet, and its empty answer
 * would take away every route, while an error takes away none. They come from
 * the agent's cache, so that the gateways of an agent cost it one query.
 */
#include "gateway/watch.h"

#include <inttypes.h>

#include "base/alloc.h"
#include "gateway/backoff.h"

#define WAIT_S 60
#define TIMEOUT_S (WAIT_S + WAIT_S / 16 + 10) /* the agent adds its jitter */
/* Changes that come faster than this are taken together; and an agent that
 * answers at once without news is not asked in a hot loop. */
#define GAP_MS 50u
#define NO_NEWS_GAP_MS 1000u

struct watch {
    struct watch_config config;
    char *path;
    struct base_env *env;
    struct base_log log;
    struct api_call *call;
    struct base_timer again;
    uint64_t index;
    uint64_t asked_ms;
    unsigned failures;
};

static void ask(void *arg);

static void on_failure(struct watch *watch, const struct api_reply *reply)
{
    watch->failures++;
    if (backoff_is_worth_a_line(watch->failures))
        base_log(&watch->log, BASE_LOG_WARN, "cannot follow the agent",
                 kv_str("path", watch->path),
                 kv_int("status", reply->status), kv_str("error", reply->why));
    base_timer_start_ms(&watch->again, backoff_ms(watch->env, watch->failures));
}

static void on_reply(void *arg, const struct api_reply *reply)
{
    struct watch *watch = arg;
    bool news = reply->index == 0 || reply->index != watch->index;
    bool recovered = watch->failures > 0;
    uint64_t took_ms = base_env_now_ms(watch->env) - watch->asked_ms;

    watch->call = NULL;
    if (reply->status != 200 || reply->body == NULL) {
        on_failure(watch, reply);
        return;
    }
    watch->failures = 0;
    base_timer_start_ms(&watch->again, news && reply->index != 0 ? GAP_MS
                                       : took_ms < NO_NEWS_GAP_MS
                                           ? NO_NEWS_GAP_MS
                                           : 0);
    watch->index = reply->index < watch->index ? 0 : reply->index;
    if (news)
        watch->config.on_answer(watch->config.arg, reply->body);
    if (!recovered)
        return;
    base_log(&watch->log, BASE_LOG_INFO, "following the agent again",
             kv_str("path", watch->path));
    if (watch->config.on_recovered)
        watch->config.on_recovered(watch->config.arg);
}

static void ask(void *arg)
{
    struct watch *watch = arg;
    char *path = base_asprintf("%s?cached&index=%" PRIu64 "&wait=%ds",
                               watch->path, watch->index, WAIT_S);

    watch->asked_ms = base_env_now_ms(watch->env);
    watch->call = api_get(watch->config.api, path, TIMEOUT_S, on_reply, watch);
    base_free(path);
}

struct watch *watch_new(const struct watch_config *config)
{
    struct watch *watch;

    BASE_NEW(watch);
    watch->config = *config;
    watch->path = base_strdup(config->path);
    watch->env = api_env(config->api);
    watch->log = base_log_named(&watch->env->log, "gateway");
    base_timer_init(&watch->again, watch->env, "watch", ask, watch);
    ask(watch);
    return watch;
}

void watch_free(struct watch *watch)
{
    if (watch == NULL)
        return;
    base_timer_stop(&watch->again);
    api_cancel(watch->call);
    base_free(watch->path);
    base_free(watch);
}
