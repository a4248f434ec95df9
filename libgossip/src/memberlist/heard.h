/*
 * Claims that were merged lately. Gossip tells each node the same suspect and
 * dead messages some twenty times over (gossip.md 2.9), and to merge one again
 * changes nothing, unless the member came anew or came back in between: then
 * all is forgotten. A hash stands for a message, keyed so that no peer can
 * choose two that collide.
 */
#ifndef MEMBERLIST_HEARD_H
#define MEMBERLIST_HEARD_H

#include <stdbool.h>
#include <stdint.h>
#include <string.h>

#define ML_HEARD_SLOTS 128u /* more than a pool speaks of at a time */

struct ml_heard {
    uint32_t slots[ML_HEARD_SLOTS]; /* by the low bits; 0: empty */
};

static inline bool ml_heard_has(const struct ml_heard *heard, uint32_t hash)
{
    return hash != 0 && heard->slots[hash % ML_HEARD_SLOTS] == hash;
}

static inline void ml_heard_add(struct ml_heard *heard, uint32_t hash)
{
    heard->slots[hash % ML_HEARD_SLOTS] = hash;
}

static inline void ml_heard_forget(struct ml_heard *heard)
{
    memset(heard, 0, sizeof(*heard));
}

#endif
