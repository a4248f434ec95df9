/*
 * Queued messages in the order in which they are sent: fewest transmits, then
 * longest, then newest (gossip.md 2.9). A treap whose priorities are a hash of
 * the id, so that its shape needs no random source and is the same in every
 * run. Private to the broadcast queue.
 */
#ifndef MEMBERLIST_BROADCAST_TREE_H
#define MEMBERLIST_BROADCAST_TREE_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

/** What the order is by. */
struct broadcast_key {
    uint32_t transmits;
    size_t len;
    uint64_t id;
};

struct broadcast_link {
    struct broadcast_key key;
    struct broadcast_link *left;
    struct broadcast_link *right;
    uint32_t priority;
};

void broadcast_tree_insert(struct broadcast_link **root,
                           struct broadcast_link *link);
void broadcast_tree_remove(struct broadcast_link **root,
                           struct broadcast_link *link);
/** First one at or after the key; NULL if there is none. */
struct broadcast_link *broadcast_tree_at(struct broadcast_link *root,
                                         const struct broadcast_key *key);
struct broadcast_link *broadcast_tree_last(struct broadcast_link *root);

#endif
