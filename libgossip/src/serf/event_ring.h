/*
 * What was heard lately, by Lamport time: the window in which a user event or
 * a query that comes again is known, and old ones are refused. A slot a time
 * modulo the size; a slot holds all that was heard at one time (gossip.md 3.6).
 * User events are told apart by name and payload, queries by their ID.
 */
#ifndef SERF_EVENT_RING_H
#define SERF_EVENT_RING_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

/* Nodes that fire at once share a time, but not thousands of them; and the
 * whole ring of events goes into every push/pull. */
#define SERF_RING_SLOT_ITEMS_MAX 1024u
#define SERF_RING_BYTES_MAX (8u * 1024u * 1024u)

struct serf_ring_item {
    struct serf_ring_item *next; /* in the order of arrival */
    uint32_t id;
    uint32_t name_len;
    uint32_t payload_len;
    uint8_t bytes[]; /* name, payload */
};

struct serf_ring_slot {
    uint64_t ltime;
    struct serf_ring_item *first; /* NULL: unused */
    struct serf_ring_item **tail;
    uint32_t item_count;
};

struct serf_ring {
    struct serf_ring_slot *slots;
    size_t slot_count;
    size_t bytes;
    uint64_t min_time; /* earlier ones are from before we came */
};

enum serf_ring_result {
    SERF_RING_NEW,
    SERF_RING_OLD,  /* below the minimum, or out of the window */
    SERF_RING_SEEN,
    SERF_RING_FULL  /* refused: too much at once */
};

void serf_ring_init(struct serf_ring *ring, size_t slot_count);
void serf_ring_close(struct serf_ring *ring);
/** Notes what came with this time; clock is ours, after witnessing it. */
enum serf_ring_result serf_ring_see(struct serf_ring *ring, uint64_t ltime,
                                    uint64_t clock, uint32_t id,
                                    const void *name, size_t name_len,
                                    const void *payload, size_t payload_len);

#endif
