/*
 * The queue of messages that ride on gossip packets, each a limited number of
 * times: fewest transmits first, then longer, then newer. memberlist has one,
 * serf has three. Source: gossip.md 2.9.
 * Threads: one at a time per queue.
 */
#ifndef GOSSIP_BROADCAST_H
#define GOSSIP_BROADCAST_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

struct gossip_broadcasts;

/** Told once when a message was sent often enough (or replaced, or pruned),
 * from inside that call; it may use the queue. Not told when the queue is
 * freed. */
typedef void (*gossip_broadcast_done_fn)(void *arg);

struct gossip_broadcasts *gossip_broadcasts_new(uint32_t retransmit_mult);
void gossip_broadcasts_free(struct gossip_broadcasts *queue);
/** Queues a copy. A name (may be NULL) replaces the queued message of that
 * name. done may be NULL. */
void gossip_broadcasts_add(struct gossip_broadcasts *queue, const char *name,
                           const void *data, size_t len,
                           gossip_broadcast_done_fn done, void *arg);
/** Emits messages while overhead + length fits into what is left of limit;
 * node_count is the N of the retransmit limit. Returns the bytes used. The next
 * call must be gossip_broadcasts_sent(). */
size_t gossip_broadcasts_take(struct gossip_broadcasts *queue,
                              size_t node_count, size_t overhead, size_t limit,
                              void (*emit)(void *arg, const void *data,
                                           size_t len),
                              void *arg);
/** What the last take emitted has left, once more; or, with sent false, could
 * not: then it does not count, and the messages stay as they were. */
void gossip_broadcasts_sent(struct gossip_broadcasts *queue, bool sent);
size_t gossip_broadcasts_count(const struct gossip_broadcasts *queue);
/** Keeps the max messages that have travelled least. */
void gossip_broadcasts_prune(struct gossip_broadcasts *queue, size_t max);

#endif
