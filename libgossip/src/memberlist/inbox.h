/*
 * Messages that wait to be merged: alive ones before the others, the newest
 * first, and a bound on each list, past which the oldest goes. So after a
 * storm a node works on what is true now. Source: gossip.md 2.11 (there the
 * newcomer is dropped; here the oldest, which is worth least).
 * Threads: one at a time per inbox.
 */
#ifndef MEMBERLIST_INBOX_H
#define MEMBERLIST_INBOX_H

#include "base/addr.h"
#include "memberlist/messages.h"

struct ml_inbox_entry {
    struct ml_inbox_entry *older;
    struct ml_inbox_entry *newer;
    struct base_addr from;
    uint8_t type;  /* enum ml_type */
    uint32_t hash; /* of a claim (heard.h); else 0 */
    size_t len;
    uint8_t data[]; /* without the type byte */
};

struct ml_inbox_list {
    struct ml_inbox_entry *newest;
    struct ml_inbox_entry *oldest;
    size_t count;
};

struct ml_inbox {
    struct ml_inbox_list high; /* alive */
    struct ml_inbox_list low;  /* suspect, dead, user */
    size_t depth_max;          /* of each */
};

void ml_inbox_init(struct ml_inbox *inbox, size_t depth_max);
void ml_inbox_close(struct ml_inbox *inbox);
/** Adds a copy; false if the oldest of its list had to go. */
bool ml_inbox_put(struct ml_inbox *inbox, const struct base_addr *from,
                  enum ml_type type, uint32_t hash, const void *data,
                  size_t len);
/** The next one, the caller's (base_free); NULL if there is none. */
struct ml_inbox_entry *ml_inbox_take(struct ml_inbox *inbox);
size_t ml_inbox_count(const struct ml_inbox *inbox);

#endif
