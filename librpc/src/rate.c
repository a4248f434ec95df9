/*
 * Token buckets by source address. The table never grows: an address has four
 * places that a keyed hash gives it, and when all are taken the one that was
 * quiet longest makes room. So an attacker with many addresses forgets his own
 * history, at worst that of a few others, and costs no memory. IPv6 sources
 * count by /64, the least that a host is given (RFC 6177).
 */
#include "rate.h"

#include <string.h>

#include "base/alloc.h"

#define SETS 1024u
#define WAYS 4u
#define MILLI 1000u

struct bucket {
    uint64_t last_ms;
    uint64_t key[2]; /* all zero: free */
    uint64_t tokens_milli;
};

struct rpc_rate {
    struct base_env *env;
    uint32_t per_second;
    uint64_t burst_milli;
    uint64_t seed;
    struct bucket buckets[SETS][WAYS];
};

struct rpc_rate *rpc_rate_new(struct base_env *env, uint32_t per_second)
{
    struct rpc_rate *rate;

    BASE_NEW(rate);
    rate->env = env;
    rate->per_second = per_second;
    rate->burst_milli = (uint64_t)per_second * 2 * MILLI;
    rate->seed = base_env_random_u64(env) | 1;
    return rate;
}

void rpc_rate_free(struct rpc_rate *rate)
{
    base_free(rate);
}

static void key_of(const struct base_addr *addr, uint64_t key[2])
{
    memcpy(key, addr->ip, 16);
    if (addr->family == 6)
        key[1] = 0;
    key[1] |= (uint64_t)addr->family << 56; /* never all zero */
}

static uint64_t mix(uint64_t value)
{
    value ^= value >> 32;
    value *= 0xd6e8feb86659fd93u;
    value ^= value >> 32;
    value *= 0xd6e8feb86659fd93u;
    return value ^ value >> 32;
}

/* The address's bucket, or the quietest of its places, emptied for it. */
static struct bucket *find(struct rpc_rate *rate, const uint64_t key[2],
                           uint64_t now_ms)
{
    uint64_t hash = mix(mix(key[0] ^ rate->seed) ^ key[1] * rate->seed);
    struct bucket *set = rate->buckets[hash % SETS];
    struct bucket *oldest = &set[0];
    unsigned i;

    for (i = 0; i < WAYS; i++) {
        if (set[i].key[0] == key[0] && set[i].key[1] == key[1])
            return &set[i];
        if (set[i].last_ms < oldest->last_ms)
            oldest = &set[i];
    }
    memcpy(oldest->key, key, sizeof(oldest->key));
    oldest->tokens_milli = rate->burst_milli;
    oldest->last_ms = now_ms;
    return oldest;
}

bool rpc_rate_pass(struct rpc_rate *rate, const struct base_addr *from)
{
    uint64_t now_ms = base_env_now_ms(rate->env);
    struct bucket *bucket;
    uint64_t key[2];

    key_of(from, key);
    bucket = find(rate, key, now_ms);
    bucket->tokens_milli += (now_ms - bucket->last_ms) * rate->per_second;
    if (bucket->tokens_milli > rate->burst_milli)
        bucket->tokens_milli = rate->burst_milli;
    bucket->last_ms = now_ms;
    if (bucket->tokens_milli < MILLI)
        return false;
    bucket->tokens_milli -= MILLI;
    return true;
}
