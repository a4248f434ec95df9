/* A timer, a count, and a word in the log for each failure. */
#include "agent/retry_join.h"

#include <stdio.h>

#include "base/alloc.h"
#include "base/metrics.h"

struct retry_join {
    struct base_env *env;
    struct base_log log;
    struct retry_join_config config;
    struct base_timer timer;
    struct base_counter *tried, *failed;
    struct base_gauge *joined; /* 1 after a success */
    uint32_t attempts;
    bool succeeded;
    bool hurry; /* news came during an attempt */
    char last_error[128];
};

static void on_timer(void *arg)
{
    struct retry_join *retry = arg;

    retry->attempts++;
    base_counter_add(retry->tried, 1);
    retry->hurry = false;
    retry->config.attempt(retry->config.ctx, retry);
}

static void succeed(struct retry_join *retry)
{
    if (!retry->succeeded)
        base_log(&retry->log, BASE_LOG_INFO, "join completed",
                 kv_str("pool", retry->config.what),
                 kv_uint("attempts", retry->attempts));
    retry->succeeded = true;
    base_gauge_set(retry->joined, 1);
    retry->last_error[0] = '\0';
    if (retry->config.keep_on)
        base_timer_start_ms(&retry->timer,
                            retry->hurry ? 0 : retry->config.interval_ms);
}

void retry_join_attempted(struct retry_join *retry, int status,
                          const char *why)
{
    if (status == 0) {
        succeed(retry);
        return;
    }
    base_counter_add(retry->failed, 1);
    snprintf(retry->last_error, sizeof(retry->last_error), "%s", why);
    if (retry->config.max > 0 && retry->attempts >= retry->config.max) {
        base_log(&retry->log, BASE_LOG_ERROR, "join failed for good",
                 kv_str("pool", retry->config.what),
                 kv_uint("attempts", retry->attempts), kv_str("error", why));
        if (retry->config.exhausted)
            retry->config.exhausted(retry->config.ctx, retry->config.what);
        return;
    }
    base_log(&retry->log, BASE_LOG_WARN, "join failed, will retry",
             kv_str("pool", retry->config.what),
             kv_uint("retry_ms", retry->config.interval_ms),
             kv_str("error", why));
    base_timer_start_ms(&retry->timer,
                        retry->hurry ? 0 : retry->config.interval_ms);
}

void retry_join_now(struct retry_join *retry)
{
    if (retry->succeeded && !retry->config.keep_on)
        return;
    if (base_timer_is_running(&retry->timer))
        base_timer_start_ms(&retry->timer, 0);
    else
        retry->hurry = true;
}

struct retry_join *retry_join_new(struct base_env *env,
                                  const struct retry_join_config *config)
{
    struct retry_join *retry;

    BASE_NEW(retry);
    retry->env = env;
    retry->log = base_log_named(&env->log, "agent.retry_join");
    retry->config = *config;
    retry->tried = base_metrics_counter(
        env->metrics, "isthmus.retry_join.attempts", "what", config->what);
    retry->failed = base_metrics_counter(
        env->metrics, "isthmus.retry_join.failed", "what", config->what);
    retry->joined = base_metrics_gauge(
        env->metrics, "isthmus.retry_join.joined", "what", config->what);
    base_timer_init(&retry->timer, env, "retry-join", on_timer, retry);
    base_timer_start_ms(&retry->timer, 0);
    return retry;
}

void retry_join_free(struct retry_join *retry)
{
    if (retry == NULL)
        return;
    base_timer_stop(&retry->timer);
    base_free(retry);
}

void retry_join_status(const struct retry_join *retry,
                       struct retry_join_status *out)
{
    *out = (struct retry_join_status){.what = retry->config.what,
                                      .attempts = retry->attempts,
                                      .succeeded = retry->succeeded};
    snprintf(out->last_error, sizeof(out->last_error), "%s",
             retry->last_error);
    if (base_timer_is_running(&retry->timer))
        out->next_ms = retry->timer.due_ns / 1000000u;
}
