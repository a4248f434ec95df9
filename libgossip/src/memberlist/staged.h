/*
 * A push/pull on its way in: members that say something new, and the version
 * ranges of all of them, until everything is read and may be merged. Members
 * that we know just so are not held, but for a delegate that is to be shown
 * them all. Source: gossip.md 1.11, 2.6.
 */
#ifndef MEMBERLIST_STAGED_H
#define MEMBERLIST_STAGED_H

#include "memberlist/node.h"

struct ml_staged_entry {
    struct ml_record *record; /* a reference */
    uint32_t incarnation;
    uint8_t state; /* enum gossip_state */
    bool known;    /* just so: to be shown, not to be merged */
};

/* Of one kind of version: what the alive understand, what anyone speaks. */
struct ml_range {
    uint8_t min_high; /* highest minimum */
    uint8_t max_low;  /* lowest maximum */
    uint8_t cur_low;
    uint8_t cur_high;
};

struct ml_staged {
    struct ml_staged_entry *entries;
    size_t count;
    size_t cap;
    size_t merged;            /* how many of them have been through the rules */
    bool is_shown;            /* the delegate will be asked: hold them all */
    struct ml_range protocol; /* over every valid entry, held or not */
    struct ml_range delegate;
};

void ml_staged_init(struct ml_staged *staged);
void ml_staged_close(struct ml_staged *staged);
/** Takes one entry: drops it if it is bad, keeps it if it is news or to be
 * shown. Returns the memory that it takes, at most ml_staged_cost(). */
size_t ml_staged_add(struct ml_staged *staged, struct gossip_memberlist *ml,
                     const struct ml_push_node *node,
                     const struct base_addr *from);
/** The most memory that adding this entry can take. */
size_t ml_staged_cost(const struct ml_push_node *node);
/** 0, or GOSSIP_EVERSION if the two pools cannot be one. */
int ml_staged_check(const struct ml_staged *staged,
                    const struct gossip_memberlist *ml);
/** The delegate's word on a join; 0 or GOSSIP_EREFUSED. */
int ml_staged_ask(const struct ml_staged *staged,
                  struct gossip_memberlist *ml);
/** Applies up to count entries; true when all are done. */
bool ml_staged_merge(struct ml_staged *staged, struct gossip_memberlist *ml,
                     size_t count);

#endif
