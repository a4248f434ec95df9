/*
 * A hash table by address of those that are in use or failed lately; an address
 * that is neither needs no entry: nothing is known against it. Entries of old
 * failures are swept at most once a second, so the table stays as small as what
 * happened in the last seconds. One lock is around it: what a connection asks
 * of it takes well under a microsecond.
 */
#include "gateway/targets.h"

#include <assert.h>
#include <pthread.h>
#include <string.h>
#include <uthash.h>

#include "base/alloc.h"

#define SWEEP_MS 1000u

struct target {
    UT_hash_handle hh;
    struct base_addr addr; /* the key: no padding, see below */
    size_t held;
    bool failed;
    unsigned silent; /* in a row */
    uint64_t failed_ms;
};
_Static_assert(sizeof(struct base_addr) == 20,
               "a key with padding would not compare by its bytes");

struct targets {
    pthread_mutex_t lock;
    struct target *by_addr;
    uint64_t swept_ms;
};

struct targets *targets_new(void)
{
    struct targets *targets;

    BASE_NEW(targets);
    pthread_mutex_init(&targets->lock, NULL);
    return targets;
}

static void drop(struct targets *targets, struct target *target)
{
    HASH_DEL(targets->by_addr, target);
    base_free(target);
}

void targets_free(struct targets *targets)
{
    struct target *target, *next;

    if (targets == NULL)
        return;
    HASH_ITER(hh, targets->by_addr, target, next)
    {
        assert(target->held == 0);
        drop(targets, target);
    }
    pthread_mutex_destroy(&targets->lock);
    base_free(targets);
}

static struct base_addr key_of(const struct base_addr *addr)
{
    struct base_addr key;

    /* The bytes between the fields take part in the comparison. */
    memset(&key, 0, sizeof(key));
    key.family = addr->family;
    memcpy(key.ip, addr->ip, sizeof(key.ip));
    key.port = addr->port;
    return key;
}

static struct target *find(const struct targets *targets,
                           const struct base_addr *addr)
{
    struct base_addr key = key_of(addr);
    struct target *target;

    HASH_FIND(hh, targets->by_addr, &key, sizeof(key), target);
    return target;
}

/* Something bad was heard of it lately. Another thread's clock may be a little
 * ahead of ours. */
static bool is_doubted(const struct target *target, uint64_t now)
{
    return (target->failed || target->silent > 0) &&
           (now < target->failed_ms ||
            now - target->failed_ms < TARGETS_FAILED_MS);
}

static bool is_failed(const struct target *target, uint64_t now)
{
    return target->failed && is_doubted(target, now);
}

static void sweep(struct targets *targets, uint64_t now)
{
    struct target *target, *next;

    if (now < targets->swept_ms || now - targets->swept_ms < SWEEP_MS)
        return;
    targets->swept_ms = now;
    HASH_ITER(hh, targets->by_addr, target, next)
    {
        if (target->held == 0 && !is_doubted(target, now))
            drop(targets, target);
    }
}

static bool is_in(const struct base_addr *addr, const struct base_addr *list,
                  size_t count)
{
    size_t i;

    for (i = 0; i < count; i++)
        if (base_addr_equal(addr, &list[i]))
            return true;
    return false;
}

/* Smaller is better: one failed lately stands behind any that did not. */
static size_t burden(const struct targets *targets,
                     const struct base_addr *addr, uint64_t now)
{
    const struct target *target = find(targets, addr);

    if (target == NULL)
        return 0;
    return target->held + (is_failed(target, now) ? SIZE_MAX / 2 : 0);
}

static struct target *hold(struct targets *targets,
                           const struct base_addr *addr)
{
    struct target *target = find(targets, addr);

    if (target == NULL) {
        BASE_NEW(target);
        target->addr = key_of(addr);
        HASH_ADD(hh, targets->by_addr, addr, sizeof(target->addr), target);
    }
    target->held++;
    return target;
}

static const struct base_addr *choose(struct targets *targets,
                                      struct base_env *env,
                                      const struct base_addr *addrs,
                                      size_t count,
                                      const struct base_addr *tried,
                                      size_t tried_count, bool *last)
{
    uint64_t now = base_env_now_ms(env);
    const struct base_addr *best = NULL;
    size_t least = SIZE_MAX;
    size_t left = 0;
    uint64_t ties = 0;
    size_t i;

    sweep(targets, now);
    for (i = 0; i < count; i++) {
        size_t weight;

        if (is_in(&addrs[i], tried, tried_count))
            continue;
        left++;
        weight = burden(targets, &addrs[i], now);
        if (weight > least)
            continue;
        if (weight < least)
            ties = 0;
        least = weight;
        /* Each of n equals is kept with probability 1/n. */
        if (++ties == 1 || base_env_random_below(env, ties) == 0)
            best = &addrs[i];
    }
    *last = left == 1;
    return best;
}

struct target *targets_pick(struct targets *targets, struct base_env *env,
                            const struct base_addr *addrs, size_t count,
                            const struct base_addr *tried, size_t tried_count,
                            bool *last)
{
    const struct base_addr *best;
    struct target *target;

    pthread_mutex_lock(&targets->lock);
    best = choose(targets, env, addrs, count, tried, tried_count, last);
    target = best == NULL ? NULL : hold(targets, best);
    pthread_mutex_unlock(&targets->lock);
    return target;
}

const struct base_addr *target_addr(const struct target *target)
{
    return &target->addr;
}

void targets_release(struct targets *targets, struct base_env *env,
                     struct target *target)
{
    pthread_mutex_lock(&targets->lock);
    assert(target->held > 0);
    target->held--;
    if (target->held == 0 && !is_doubted(target, base_env_now_ms(env)))
        drop(targets, target);
    pthread_mutex_unlock(&targets->lock);
}

void targets_report(struct targets *targets, struct base_env *env,
                    struct target *target, enum targets_outcome outcome)
{
    pthread_mutex_lock(&targets->lock);
    if (outcome == TARGETS_SILENT)
        target->silent++;
    else if (outcome != TARGETS_CONNECTED)
        target->silent = 0;
    target->failed = outcome == TARGETS_DIAL_FAILED ||
                     target->silent >= TARGETS_SILENT_MAX;
    if (outcome == TARGETS_SILENT || outcome == TARGETS_DIAL_FAILED)
        target->failed_ms = base_env_now_ms(env);
    pthread_mutex_unlock(&targets->lock);
}

size_t targets_held(struct targets *targets, const struct base_addr *addr)
{
    const struct target *target;
    size_t held;

    pthread_mutex_lock(&targets->lock);
    target = find(targets, addr);
    held = target == NULL ? 0 : target->held;
    pthread_mutex_unlock(&targets->lock);
    return held;
}

size_t targets_count(const struct targets *targets)
{
    return HASH_COUNT(targets->by_addr);
}
