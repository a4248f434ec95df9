/*
 * The transmit-limited queue (gossip.md 2.9). Ids never restart: original
 * queues reset them when empty, and two entries could then share one and lose
 * a message (gossip.md 9.13).
 */
#include "gossip/broadcast.h"

#include <assert.h>
#include <string.h>
#include <uthash.h>

#include "base/alloc.h"
#include "memberlist/broadcast_tree.h"
#include "memberlist/formulas.h"

struct entry {
    struct broadcast_link link; /* first, so that a link is its entry */
    UT_hash_handle hh;          /* by name, if it has one */
    char *name;
    gossip_broadcast_done_fn done;
    void *arg;
    struct entry *next; /* in lists of one call */
    uint8_t data[];
};

struct gossip_broadcasts {
    struct broadcast_link *root;
    struct entry *names;
    struct entry *taken; /* not in the tree until it is known to be sent */
    uint32_t transmits_max; /* for what was taken */
    uint64_t next_id;
    size_t count;
    uint32_t retransmit_mult;
};

struct gossip_broadcasts *gossip_broadcasts_new(uint32_t retransmit_mult)
{
    struct gossip_broadcasts *queue;

    BASE_NEW(queue);
    queue->retransmit_mult = retransmit_mult;
    queue->next_id = 1;
    return queue;
}

static struct entry *entry_of(struct broadcast_link *link)
{
    return link == NULL ? NULL : BASE_CONTAINER_OF(link, struct entry, link);
}

static void forget(struct gossip_broadcasts *queue, struct entry *entry)
{
    if (entry->name != NULL)
        HASH_DEL(queue->names, entry);
    queue->count--;
}

/* Out of the tree and the names; the entry is the caller's. */
static void take_out(struct gossip_broadcasts *queue, struct entry *entry)
{
    broadcast_tree_remove(&queue->root, &entry->link);
    forget(queue, entry);
}

static void entry_free(struct entry *entry)
{
    base_free(entry->name);
    base_free(entry);
}

/* Its user may queue again from here: the queue is consistent by now. */
static void finish(struct entry *entry)
{
    gossip_broadcast_done_fn done = entry->done;
    void *arg = entry->arg;

    entry_free(entry);
    if (done != NULL)
        done(arg);
}

void gossip_broadcasts_free(struct gossip_broadcasts *queue)
{
    if (queue == NULL)
        return;
    assert(queue->taken == NULL);
    while (queue->root != NULL) {
        struct entry *entry = entry_of(queue->root);

        take_out(queue, entry);
        entry_free(entry);
    }
    base_free(queue);
}

void gossip_broadcasts_add(struct gossip_broadcasts *queue, const char *name,
                           const void *data, size_t len,
                           gossip_broadcast_done_fn done, void *arg)
{
    struct entry *entry = base_calloc(1, sizeof(*entry) + len);
    struct entry *old = NULL;

    assert(queue->taken == NULL);
    entry->link.key.len = len;
    entry->link.key.id = queue->next_id++;
    entry->done = done;
    entry->arg = arg;
    memcpy(entry->data, data, len);
    if (name != NULL) {
        entry->name = base_strdup(name);
        HASH_FIND_STR(queue->names, name, old);
        if (old != NULL)
            take_out(queue, old);
        HASH_ADD_KEYPTR(hh, queue->names, entry->name, strlen(entry->name),
                        entry);
    }
    broadcast_tree_insert(&queue->root, &entry->link);
    queue->count++;
    if (old != NULL)
        finish(old);
}

/* The next entry that fits into room, in tier *tier or a later one. */
static struct entry *next_fitting(struct gossip_broadcasts *queue,
                                  uint32_t *tier, size_t room)
{
    for (;;) {
        struct broadcast_key key = {*tier, room, UINT64_MAX};
        struct broadcast_link *link = broadcast_tree_at(queue->root, &key);

        if (link == NULL || link->key.transmits == *tier)
            return entry_of(link);
        /* That tier has no more: the search landed in a later one, perhaps
         * at an entry that is too long. */
        *tier = link->key.transmits;
    }
}

size_t gossip_broadcasts_take(struct gossip_broadcasts *queue,
                              size_t node_count, size_t overhead, size_t limit,
                              void (*emit)(void *arg, const void *data,
                                           size_t len),
                              void *arg)
{
    uint32_t tier = 0;
    size_t used = 0;

    assert(queue->taken == NULL);
    queue->transmits_max =
        ml_retransmit_limit(queue->retransmit_mult, node_count);
    while (used + overhead < limit) {
        struct entry *entry =
            next_fitting(queue, &tier, limit - used - overhead);

        if (entry == NULL)
            break;
        used += overhead + entry->link.key.len;
        emit(arg, entry->data, entry->link.key.len);
        broadcast_tree_remove(&queue->root, &entry->link);
        entry->next = queue->taken;
        queue->taken = entry;
    }
    return used;
}

void gossip_broadcasts_sent(struct gossip_broadcasts *queue, bool sent)
{
    struct entry *finished = NULL;

    while (queue->taken != NULL) {
        struct entry *entry = queue->taken;

        queue->taken = entry->next;
        entry->link.key.transmits += sent;
        if (!sent || entry->link.key.transmits < queue->transmits_max) {
            broadcast_tree_insert(&queue->root, &entry->link);
        } else {
            forget(queue, entry);
            entry->next = finished;
            finished = entry;
        }
    }
    while (finished != NULL) {
        struct entry *entry = finished;

        finished = finished->next;
        finish(entry);
    }
}

size_t gossip_broadcasts_count(const struct gossip_broadcasts *queue)
{
    return queue->count;
}

void gossip_broadcasts_prune(struct gossip_broadcasts *queue, size_t max)
{
    while (queue->count > max) {
        struct entry *entry = entry_of(broadcast_tree_last(queue->root));

        assert(entry != NULL);
        take_out(queue, entry);
        finish(entry);
    }
}
