/*
 * How long to wait after a failure: doubling from 250 ms to 2 s (the agent is
 * near, and its datacenter waits for the route), with a tenth of jitter, so
 * that many gateways do not come back in step. And which failures are worth a
 * line: the first, and then about one a minute.
 */
#ifndef GATEWAY_BACKOFF_H
#define GATEWAY_BACKOFF_H

#include "base/env.h"

#define BACKOFF_FIRST_MS 250u
#define BACKOFF_LAST_MS 2000u

/** failures: in a row, this one included; at least 1. */
static inline uint64_t backoff_ms(struct base_env *env, unsigned failures)
{
    uint64_t delay_ms = BACKOFF_FIRST_MS;

    while (--failures > 0 && delay_ms < BACKOFF_LAST_MS)
        delay_ms *= 2;
    if (delay_ms > BACKOFF_LAST_MS)
        delay_ms = BACKOFF_LAST_MS;
    return delay_ms + base_env_random_below(env, delay_ms / 10 + 1);
}

static inline bool backoff_is_worth_a_line(unsigned failures)
{
    return failures % 30 == 1;
}

#endif
