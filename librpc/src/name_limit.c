/*
 * Connections by certificate name: behind a gateway all foreign servers share
 * one address, so the name is what a limit can go by (federation.md section 3).
 * A stream may end on another loop than it began on, so counts are atomic and a
 * slot is freed by whoever lets go last.
 */
#include "name_limit.h"

#include <stdatomic.h>
#include <string.h>
#include <sys/queue.h>

#include "base/alloc.h"

#define BUCKETS 256u

struct rpc_name_slot {
    SLIST_ENTRY(rpc_name_slot) link;
    char *name;
    atomic_uint refs; /* the table's one and one a connection */
};
SLIST_HEAD(slot_list, rpc_name_slot);

struct rpc_name_limit {
    uint32_t max;
    struct slot_list buckets[BUCKETS];
};

struct rpc_name_limit *rpc_name_limit_new(uint32_t max)
{
    struct rpc_name_limit *limit;

    BASE_NEW(limit);
    limit->max = max;
    return limit;
}

static void slot_unref(struct rpc_name_slot *slot)
{
    if (atomic_fetch_sub(&slot->refs, 1) != 1)
        return;
    base_free(slot->name);
    base_free(slot);
}

void rpc_name_limit_free(struct rpc_name_limit *limit)
{
    struct rpc_name_slot *slot;
    unsigned i;

    if (limit == NULL)
        return;
    for (i = 0; i < BUCKETS; i++) {
        while ((slot = SLIST_FIRST(&limit->buckets[i])) != NULL) {
            SLIST_REMOVE_HEAD(&limit->buckets[i], link);
            slot_unref(slot);
        }
    }
    base_free(limit);
}

/* FNV-1a: the names are of certificates of our own CA, not of attackers, and
 * addresses must be had to be counted. */
static struct slot_list *bucket_of(struct rpc_name_limit *limit,
                                   const char *name)
{
    uint32_t hash = 2166136261u;

    for (; *name != '\0'; name++)
        hash = (hash ^ (uint8_t)*name) * 16777619u;
    return &limit->buckets[hash % BUCKETS];
}

/* The slot of name. Drops those on the way that no connection holds. */
static struct rpc_name_slot *find(struct slot_list *bucket, const char *name)
{
    struct rpc_name_slot *slot = SLIST_FIRST(bucket);
    struct rpc_name_slot *found = NULL;
    struct rpc_name_slot *next;

    for (; slot != NULL; slot = next) {
        next = SLIST_NEXT(slot, link);
        if (strcmp(slot->name, name) == 0) {
            found = slot;
        } else if (atomic_load(&slot->refs) == 1) {
            SLIST_REMOVE(bucket, slot, rpc_name_slot, link);
            slot_unref(slot);
        }
    }
    return found;
}

struct rpc_name_slot *rpc_name_limit_take(struct rpc_name_limit *limit,
                                          const char *name)
{
    struct slot_list *bucket = bucket_of(limit, name);
    struct rpc_name_slot *slot = find(bucket, name);

    if (slot == NULL) {
        BASE_NEW(slot);
        slot->name = base_strdup(name);
        atomic_init(&slot->refs, 1);
        SLIST_INSERT_HEAD(bucket, slot, link);
    }
    if (atomic_load(&slot->refs) > limit->max)
        return NULL;
    atomic_fetch_add(&slot->refs, 1);
    return slot;
}

void rpc_name_limit_release(void *slot)
{
    slot_unref(slot);
}
