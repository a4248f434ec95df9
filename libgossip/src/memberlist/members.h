/*
 * The member table of one node: every node that it holds, by name, and in the
 * ring that probing walks. A member is a few words of state and a reference to
 * a shared record. Source: gossip.md 2.2, 2.4.
 * Threads: one at a time per table.
 */
#ifndef MEMBERLIST_MEMBERS_H
#define MEMBERLIST_MEMBERS_H

#include "base/env.h"
#include "gossip/memberlist.h"
#include "memberlist/records.h"

struct ml_suspicion;

/** Its address is stable as long as it is in the table. */
struct ml_member {
    struct ml_record *record; /* a reference */
    struct ml_suspicion *suspicion; /* NULL unless one runs; not the table's */
    uint64_t change_ns; /* when state changed, monotonic */
    uint32_t incarnation;
    uint32_t id;   /* slot in the table */
    uint8_t state; /* enum gossip_state; set by ml_members_set_state() */
};

/* The hash lies beside the id: looking a name up touches no member but the one
 * that is meant. */
struct ml_index_slot {
    uint32_t hash; /* of the name */
    uint32_t id;   /* ML_NO_SLOT: empty */
};

struct ml_members {
    struct gossip_records *records; /* a reference */
    struct ml_member **chunks;  /* slots, so many at a time */
    size_t chunk_count;
    uint32_t free_slot;         /* list through id; ML_NO_SLOT ends it */
    struct ml_index_slot *index; /* open addressing by name */
    size_t index_count;         /* a power of two */
    uint32_t *ring;             /* ids in list order */
    size_t ring_cap;
    size_t count;
    size_t alive_count;         /* alive or suspect */
    uint64_t version;           /* moves with every change of the table */
};

#define ML_NO_SLOT UINT32_MAX
#define ML_CHUNK 128u /* members are made so many at a time */

void ml_members_init(struct ml_members *members,
                     struct gossip_records *records);
void ml_members_close(struct ml_members *members);
struct ml_member *ml_members_find(const struct ml_members *members,
                                  struct mp_bytes name);
/** Adds a node that is not there, state dead, incarnation 0, at a random place
 * of the ring. Takes over the reference. */
struct ml_member *ml_members_add(struct ml_members *members,
                                 struct base_env *env,
                                 struct ml_record *record);
/** Exchanges its facts; takes over the reference. The name is the same. */
void ml_members_set_record(struct ml_members *members,
                           struct ml_member *member, struct ml_record *record);
/** Also notes the time of the change. */
void ml_members_set_state(struct ml_members *members, struct ml_member *member,
                          enum gossip_state state, uint64_t now_ns);
static inline struct ml_member *
ml_members_at(const struct ml_members *members, size_t ring_index)
{
    uint32_t id = members->ring[ring_index];

    return &members->chunks[id / ML_CHUNK][id % ML_CHUNK];
}
/** Drops dead and left nodes that changed before the time, then shuffles the
 * ring (gossip.md 2.4). Returns how many went. */
size_t ml_members_reset(struct ml_members *members, struct base_env *env,
                        uint64_t before_ns);
/** Up to count distinct random members that pass keep; returns how many. */
size_t ml_members_random(const struct ml_members *members,
                         struct base_env *env, size_t count,
                         bool (*keep)(void *arg, const struct ml_member *m),
                         void *arg, struct ml_member **out);
/** Asserts what the table promises; for tests. */
void ml_members_check(const struct ml_members *members);

#endif
