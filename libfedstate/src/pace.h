/*
 * How fast: a token bucket as one number, and waits that double. Pure but for
 * the jitter.
 */
#ifndef FEDSTATE_PACE_H
#define FEDSTATE_PACE_H

#include "base/env.h"

/** A bucket of burst tokens, one more each interval. Kept as the time at which
 * it would be full again, so that it needs no refilling. */
struct fedstate_bucket {
    uint64_t interval_ns;
    uint64_t burst; /* at least 1 */
    uint64_t full_at_ns;
};

/** 0 if a token was taken, else how long until there is one (none taken). */
uint64_t fedstate_bucket_take(struct fedstate_bucket *bucket, uint64_t now_ns);

/** first_ms doubled for each failure after the first, at most max_ms, less up
 * to 10 %: jitter never passes the maximum, and two that failed together come
 * back apart. failures counts from 1. */
uint64_t fedstate_backoff_ms(struct base_env *env, uint32_t failures,
                             uint32_t first_ms, uint32_t max_ms);

#endif
