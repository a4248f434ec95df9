/* Token bucket and backoff (federation.md section 7, items 1, 4 and 5). */
#include "pace.h"

#include <assert.h>

uint64_t fedstate_bucket_take(struct fedstate_bucket *bucket, uint64_t now_ns)
{
    uint64_t room = (bucket->burst - 1) * bucket->interval_ns;

    assert(bucket->burst >= 1);
    if (bucket->full_at_ns < now_ns)
        bucket->full_at_ns = now_ns;
    if (bucket->full_at_ns - now_ns > room)
        return bucket->full_at_ns - now_ns - room;
    bucket->full_at_ns += bucket->interval_ns;
    return 0;
}

uint64_t fedstate_backoff_ms(struct base_env *env, uint32_t failures,
                             uint32_t first_ms, uint32_t max_ms)
{
    uint64_t wait_ms = first_ms;

    while (failures > 1 && wait_ms < max_ms) {
        wait_ms *= 2;
        failures--;
    }
    if (wait_ms > max_ms)
        wait_ms = max_ms;
    return wait_ms - base_env_random_below(env, wait_ms / 10 + 1);
}
