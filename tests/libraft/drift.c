/* Clocks that are wrong. */
#include "drift.h"

#define MILLION 1000000

static uint64_t drifted_now(void *ctx)
{
    struct drift *drift = ctx;
    int64_t now = (int64_t)base_env_now_ns(drift->under);

    return (uint64_t)(now + now / MILLION * drift->ppm) + drift->jumped_ns;
}

static int64_t same_wall(void *ctx)
{
    return base_env_wall_ns(((struct drift *)ctx)->under);
}

static void same_random(void *ctx, void *out, size_t len)
{
    base_env_random(((struct drift *)ctx)->under, out, len);
}

/* A little late rather than early: an early one would be started again. */
static void drifted_start(void *ctx, struct base_timer *timer,
                          uint64_t delay_ns)
{
    struct drift *drift = ctx;
    uint64_t real = delay_ns;

    if (delay_ns > 0)
        real = delay_ns / (uint64_t)(MILLION + drift->ppm) * MILLION +
               2 * MILLION;
    drift->under->ops->timer_start(drift->under->ctx, timer, real);
}

static void same_stop(void *ctx, struct base_timer *timer)
{
    struct base_env *under = ((struct drift *)ctx)->under;

    under->ops->timer_stop(under->ctx, timer);
}

static int same_post(void *ctx, void (*run)(void *arg), void *arg)
{
    return base_env_post(((struct drift *)ctx)->under, run, arg);
}

static int same_submit(void *ctx, enum base_worker worker, base_job_fn job,
                       base_job_done_fn done, void *arg)
{
    return base_env_submit(((struct drift *)ctx)->under, worker, job, done,
                           arg);
}

static int same_resolve(void *ctx, const char *name,
                        enum base_resolve_type type, base_resolve_fn done,
                        void *arg)
{
    return base_env_resolve(((struct drift *)ctx)->under, name, type, done,
                            arg);
}

static void same_trace(void *ctx, const char *kind, const char *format,
                       va_list args)
{
    struct base_env *under = ((struct drift *)ctx)->under;

    if (under->ops->trace != NULL)
        under->ops->trace(under->ctx, kind, format, args);
}

void drift_init(struct drift *drift, struct base_env *under, int64_t ppm)
{
    *drift = (struct drift){.under = under, .ppm = ppm};
    drift->ops = (struct base_env_ops){.version = 1,
                                       .now_ns = drifted_now,
                                       .wall_ns = same_wall,
                                       .random = same_random,
                                       .timer_start = drifted_start,
                                       .timer_stop = same_stop,
                                       .post = same_post,
                                       .submit = same_submit,
                                       .resolve = same_resolve,
                                       .trace = same_trace};
    drift->env = *under;
    drift->env.ops = &drift->ops;
    drift->env.ctx = drift;
}

void drift_jump_ms(struct drift *drift, uint64_t jump_ms)
{
    drift->jumped_ns += jump_ms * MILLION;
}
