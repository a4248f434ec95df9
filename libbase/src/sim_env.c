/*
 * A loop of a simulated machine: clocks, timers, posts, random numbers, the
 * log. Jobs and names are in sim_job.c.
 */
#include <string.h>

#include "base/alloc.h"
#include "base/error.h"
#include "sim_internal.h"

/* 2026-01-01T00:00:00Z, when every world begins. */
#define WALL_START_NS (INT64_C(1767225600) * 1000000000)
#define POSTS_MAX 65536u /* base/env.h */
#define POST_DELAY_MIN_US 1u
#define POST_DELAY_MAX_US 50u
#define LOG_PAIRS_MAX 16u /* base/log.h */

static uint64_t op_now_ns(void *ctx)
{
    const struct sim_env *env = ctx;
    int64_t now = (int64_t)env->sim->now_ns;

    return (uint64_t)(now + now / 1000 * env->host->drift_ppm / 1000) +
           env->host->jumped_ns;
}

/* A delay of the host's clock on the world's: rather late than early, or it
 * would be started again. */
static uint64_t real_delay(const struct sim_env *env, uint64_t delay_ns)
{
    uint64_t rate = (uint64_t)(1000000 + env->host->drift_ppm);

    if (env->host->drift_ppm == 0 || delay_ns == 0)
        return delay_ns;
    return delay_ns / rate * 1000000u + delay_ns % rate * 1000000u / rate +
           2000u;
}

static int64_t op_wall_ns(void *ctx)
{
    const struct sim_env *env = ctx;

    return WALL_START_NS + (int64_t)env->sim->now_ns + env->host->wall_shift_ns;
}

static void op_random(void *ctx, void *out, size_t len)
{
    struct sim_env *env = ctx;
    uint8_t *at = out;

    while (len > 0) {
        uint64_t word = sim_rng_next(&env->random);
        size_t part = len < sizeof(word) ? len : sizeof(word);

        memcpy(at, &word, part);
        at += part;
        len -= part;
    }
}

static void op_timer_start(void *ctx, struct base_timer *timer,
                           uint64_t delay_ns)
{
    struct sim_env *env = ctx;
    uint64_t due_ns;

    if (env->dead)
        return;
    if (__builtin_add_overflow(env->sim->now_ns, real_delay(env, delay_ns),
                               &due_ns))
        due_ns = UINT64_MAX;
    sim_timer_start(env->sim, timer, due_ns);
}

static void op_timer_stop(void *ctx, struct base_timer *timer)
{
    struct sim_env *env = ctx;

    sim_timer_stop(env->sim, timer);
}

/* ---- posts ---- */

struct post {
    struct sim_event event;
    struct sim_env *env;
    void (*run)(void *arg);
    void *arg;
};

static void post_fire(void *arg)
{
    struct post *post = arg;
    struct post copy = *post;

    sim_event_free(&post->event);
    if (copy.env->dead)
        return;
    copy.env->post_count--;
    copy.env->sim->stats.posts++;
    sim_log_line(copy.env->sim, copy.env->label, "post", "");
    copy.run(copy.arg);
}

uint64_t sim_env_post_due(struct sim_env *env)
{
    struct base_sim *sim = env->sim;
    uint64_t due_ns =
        sim->now_ns + sim_rng_delay_ns(&sim->machine_random, POST_DELAY_MIN_US,
                                       POST_DELAY_MAX_US);

    /* A real queue of posts is one line, whoever stands in it. */
    if (due_ns < env->post_due_ns)
        due_ns = env->post_due_ns;
    env->post_due_ns = due_ns;
    env->post_count++;
    return due_ns;
}

void sim_env_post(struct sim_env *env, void (*run)(void *arg), void *arg)
{
    struct post *post = sim_event_new(env->sim, sizeof(*post), post_fire, NULL);

    post->env = env;
    post->run = run;
    post->arg = arg;
    sim_event_start(&post->event, sim_env_post_due(env));
}

static int op_post(void *ctx, void (*run)(void *arg), void *arg)
{
    struct sim_env *env = ctx;

    if (env->dead)
        return BASE_ECLOSED;
    if (env->post_count >= POSTS_MAX)
        return BASE_EFULL;
    sim_env_post(env, run, arg);
    return 0;
}

/* ---- the logs ---- */

static void op_trace(void *ctx, const char *kind, const char *format,
                     va_list args)
{
    struct sim_env *env = ctx;

    if (env->dead || !sim_log_begin(env->sim, env->label, kind))
        return;
    sim_log_format(env->sim, format, args);
    sim_log_end(env->sim);
}

/* Passes a record on with its machine's name, since all share one sink. */
static void sink_write(void *ctx, const struct base_log_record *record)
{
    struct sim_env *env = ctx;
    struct base_kv pairs[LOG_PAIRS_MAX + 1];
    struct base_log_record named = *record;

    if (env->dead || env->sim->sink == NULL)
        return;
    if (named.pair_count > LOG_PAIRS_MAX)
        named.pair_count = LOG_PAIRS_MAX;
    pairs[0] = kv_str("host", env->label);
    memcpy(pairs + 1, record->pairs, named.pair_count * sizeof(*pairs));
    named.pairs = pairs;
    named.pair_count++;
    env->sim->sink->write(env->sim->sink->ctx, &named);
}

static void set_log(struct sim_env *env)
{
    env->env.log.sink = env->sim->sink != NULL ? &env->sink : NULL;
    env->env.log.level = env->sim->sink_level;
}

void base_sim_set_log_sink(struct base_sim *sim,
                           const struct base_log_sink *sink,
                           enum base_log_level level)
{
    struct base_sim_host *host;
    struct sim_env *env;

    sim->sink = sink;
    sim->sink_level = level;
    LIST_FOREACH(host, &sim->hosts, link)
    {
        SLIST_FOREACH(env, &host->envs, next)
        {
            set_log(env);
        }
    }
}

/* ---- life ---- */

#define ENV_OPS(trace_op)                                                    \
    {                                                                        \
        .version = 1, .now_ns = op_now_ns, .wall_ns = op_wall_ns,            \
        .random = op_random, .timer_start = op_timer_start,                  \
        .timer_stop = op_timer_stop, .post = op_post,                        \
        .submit = sim_env_submit, .resolve = sim_env_resolve,                \
        .trace = trace_op                                                    \
    }
static const struct base_env_ops env_ops = ENV_OPS(op_trace);
static const struct base_env_ops silent_ops = ENV_OPS(NULL);

/* Where there is no log nobody should make lines for it. */
static void set_trace(struct sim_env *env)
{
    env->env.ops = env->sim->logging ? &env_ops : &silent_ops;
}

void base_sim_set_digest(struct base_sim *sim, bool on)
{
    struct base_sim_host *host;
    struct sim_env *env;

    sim->logging = on;
    LIST_FOREACH(host, &sim->hosts, link)
    {
        SLIST_FOREACH(env, &host->envs, next)
        {
            set_trace(env);
        }
    }
}

struct sim_env *sim_env_new(struct base_sim_host *host, const char *name)
{
    struct sim_env *env;

    BASE_NEW(env);
    env->sim = host->sim;
    env->host = host;
    env->name = base_strdup(name);
    env->label = base_asprintf("%s/%s", host->name, name);
    env->sink = (struct base_log_sink){sink_write, op_wall_ns, env};
    set_trace(env);
    env->env.ctx = env;
    env->env.log.subsystem = env->name;
    set_log(env);
    env->net = (struct base_net){&sim_net_ops, env, &env->env};
    sim_rng_init(&env->random, env->sim->seed, env->sim->env_count++);
    return env;
}

void sim_env_free(struct sim_env *env)
{
    base_free(env->name);
    base_free(env->label);
    base_free(env);
}
