/* A hash table from IP to a count, behind a lock. */
#include "gateway/source_limit.h"

#include <assert.h>
#include <pthread.h>
#include <uthash.h>

#include "base/alloc.h"

struct source {
    UT_hash_handle hh;
    uint8_t ip[16]; /* base_addr keeps unused bytes at zero */
    size_t count;
};

struct source_limit {
    pthread_mutex_t lock;
    struct source *by_ip;
    size_t per_source_max;
};

struct source_limit *source_limit_new(size_t per_source_max)
{
    struct source_limit *limit;

    BASE_NEW(limit);
    pthread_mutex_init(&limit->lock, NULL);
    limit->per_source_max = per_source_max;
    return limit;
}

void source_limit_free(struct source_limit *limit)
{
    if (limit == NULL)
        return;
    assert(limit->by_ip == NULL);
    pthread_mutex_destroy(&limit->lock);
    base_free(limit);
}

bool source_limit_enter(struct source_limit *limit,
                        const struct base_addr *from)
{
    struct source *source;
    bool may;

    pthread_mutex_lock(&limit->lock);
    HASH_FIND(hh, limit->by_ip, from->ip, sizeof(from->ip), source);
    if (source == NULL) {
        BASE_NEW(source);
        memcpy(source->ip, from->ip, sizeof(source->ip));
        HASH_ADD(hh, limit->by_ip, ip, sizeof(source->ip), source);
    }
    may = source->count < limit->per_source_max;
    if (may)
        source->count++;
    pthread_mutex_unlock(&limit->lock);
    return may;
}

void source_limit_leave(struct source_limit *limit,
                        const struct base_addr *from)
{
    struct source *source;

    pthread_mutex_lock(&limit->lock);
    HASH_FIND(hh, limit->by_ip, from->ip, sizeof(from->ip), source);
    assert(source != NULL && source->count > 0);
    if (--source->count == 0) {
        HASH_DEL(limit->by_ip, source);
        base_free(source);
    }
    pthread_mutex_unlock(&limit->lock);
}
