/*
 * What every env shares, whatever stands behind its table: numbers from random
 * bytes, timers by name, the trace.
 */
#include "base/env.h"

#include <assert.h>

uint64_t base_env_random_u64(struct base_env *env)
{
    uint64_t value;

    base_env_random(env, &value, sizeof(value));
    return value;
}

uint64_t base_env_random_below(struct base_env *env, uint64_t bound)
{
    uint64_t value;
    uint64_t skip;

    assert(bound > 0);
    /* 2^64 mod bound values too many at the low end: draw again for those. */
    skip = (0 - bound) % bound;
    do {
        value = base_env_random_u64(env);
    } while (value < skip);
    return value % bound;
}

void base_env_trace(struct base_env *env, const char *kind, const char *format,
                    ...)
{
    va_list args;

    if (env->ops->trace == NULL)
        return;
    va_start(args, format);
    env->ops->trace(env->ctx, kind, format, args);
    va_end(args);
}

void base_timer_init(struct base_timer *timer, struct base_env *env,
                     const char *name, void (*fire)(void *arg), void *arg)
{
    *timer =
        (struct base_timer){.env = env, .name = name, .fire = fire, .arg = arg};
}

void base_timer_start_ns(struct base_timer *timer, uint64_t delay_ns)
{
    timer->env->ops->timer_start(timer->env->ctx, timer, delay_ns);
}

void base_timer_start_ms(struct base_timer *timer, uint64_t delay_ms)
{
    uint64_t delay_ns;

    /* A delay beyond 584 years is "never", not a wrapped number. */
    if (__builtin_mul_overflow(delay_ms, (uint64_t)1000000, &delay_ns))
        delay_ns = UINT64_MAX;
    base_timer_start_ns(timer, delay_ns);
}

void base_timer_stop(struct base_timer *timer)
{
    if (timer->heap_slot != 0)
        timer->env->ops->timer_stop(timer->env->ctx, timer);
}
