/*
 * Raft as a pure machine: an event in, an update out. No clock, disk, socket,
 * thread or global; time is a number in the event, chance comes from a seed.
 * raft/node.h runs it for you; who wants another world around it may do so
 * alone.
 *
 * Source: Ongaro and Ousterhout, "In Search of an Understandable Consensus
 * Algorithm", and Ongaro's thesis (sections named in the code).
 *
 * Threads: one at a time per core.
 */
#ifndef RAFT_CORE_H
#define RAFT_CORE_H

#include "raft/message.h"
#include "raft/storage.h"

struct raft;

#define RAFT_INFLIGHT_MAX 32u            /* appends a follower, not yet acked */
#define RAFT_INFLIGHT_BYTES_MAX (8u << 20) /* of them: 15 servers pin 120 MiB */
#define RAFT_TERM_JUMP_MAX (1ull << 32)  /* a term further ahead is refused */

struct raft_core_config {
    const char *id;
    const char *cluster_id;          /* NULL or "": learnt */
    uint32_t election_timeout_ms;    /* actual: random in [1x, 2x) */
    uint32_t heartbeat_interval_ms;
    uint32_t lease_drift_ppm; /* see raft/node.h; 0: no leases */
    uint64_t seed;
};

/* ---- data of entries: counted blocks, so that log, disk and messages share
 * one copy. Counts are not atomic: the loop's thread only. ---- */
void *raft_data_new(size_t len);
void *raft_data_dup(const void *data, size_t len);
const void *raft_data_ref(const void *data);
void raft_data_unref(const void *data); /* NULL is fine */

/* ---- events ---- */

enum raft_event_type {
    RAFT_EVENT_START = 1, /* what the storage found; first */
    RAFT_EVENT_BOOTSTRAP, /* a first configuration for an empty log */
    RAFT_EVENT_TICK,      /* time has passed */
    RAFT_EVENT_MESSAGE,
    RAFT_EVENT_PERSISTED, /* write_id and all before it are durable */
    RAFT_EVENT_PROPOSE,   /* entries for the log */
    RAFT_EVENT_READ,      /* a read barrier (thesis 6.4) */
    RAFT_EVENT_ADD,       /* add, promote, demote or move a server */
    RAFT_EVENT_REMOVE,
    RAFT_EVENT_TRANSFER,  /* leadership, to id or the most caught up */
    RAFT_EVENT_SNAPSHOT_TAKEN,     /* our own, durable: compact the log */
    RAFT_EVENT_SNAPSHOT_INSTALLED, /* the leader's, durable and restored */
    RAFT_EVENT_ENTRIES_READ        /* what an update asked for */
};

struct raft_event {
    enum raft_event_type type;
    uint64_t now_ms; /* monotonic, never goes back */
    union {
        const struct raft_stored *stored;               /* START, copied */
        const struct raft_configuration *configuration; /* BOOTSTRAP */
        struct raft_message *message; /* borrowed; entries may be taken */
        uint64_t write_id;            /* PERSISTED */
        struct {
            /* type, data (counted; a reference is given if the step returns
             * 0) and len are set; the rest is filled in. */
            struct raft_entry *entries;
            size_t count;
            raft_index first; /* out: where they went */
        } propose;
        uint64_t read_id;
        struct raft_server server; /* ADD, REMOVE (id), TRANSFER (id or "") */
        struct {
            raft_index index;
            raft_term term;
            raft_index keep_after; /* log entries up to here are dropped */
            raft_index configuration_index;
            const struct raft_configuration *configuration;
        } snapshot;
        struct {
            const struct raft_entries_want *want;
            const struct raft_entry *entries; /* borrowed, data counted */
            size_t count;                     /* 0: could not be read */
        } read;
    } u;
};

/* ---- updates ---- */

struct raft_read_ready {
    uint64_t read_id;
    int status;       /* 0, RAFT_ENOTLEADER */
    raft_index index; /* run the read once this is applied */
    uint64_t until_ms; /* and before this: it rests on a lease. 0: any time */
};

/** A follower needs entries that are in memory no more: read them from the
 * storage and step with RAFT_EVENT_ENTRIES_READ, whatever came of it. */
struct raft_entries_want {
    char to[RAFT_ID_MAX];
    raft_term term;   /* of the leader who asks */
    raft_index first;
};
#define RAFT_READ_BYTES_MAX (1u << 20) /* of them, about */

/** A follower needs a snapshot: read a piece of the newest one, from offset
 * on, and send it in a message of that term. */
struct raft_snapshot_want {
    char to[RAFT_ID_MAX];
    raft_term term;
    uint64_t offset;
    uint64_t round;
};

/**
 * What the outside world owes us after a step, in this order:
 *   messages_now    leave at once (appends of a durable term: the followers'
 *                   disks work beside ours, thesis 10.2.1);
 *   write           goes to the storage, if write_id is not 0;
 *   messages_after  leave once the write after_id (this or an earlier one) is
 *                   durable: votes, acks and vote requests are promises;
 *   raft_apply_index() may have grown.
 * Owner: the caller; raft_update_close() frees it, after the write is done
 * with it.
 */
struct raft_update {
    struct raft_message *messages_now;
    size_t now_count, now_cap;
    struct raft_message *messages_after;
    size_t after_count, after_cap;
    uint64_t after_id;

    uint64_t write_id; /* 0: nothing to store */
    bool set_vote;
    raft_term term;
    char voted_for[RAFT_ID_MAX];
    raft_index truncate_from;
    bool set_repair; /* struct raft_write */
    raft_index repair_until;
    struct raft_entry *entries; /* data counted */
    size_t entry_count, entry_cap;

    struct raft_read_ready *reads;
    size_t read_count, read_cap;

    bool state_changed;         /* role, term or leader */
    bool configuration_changed;
    bool lost_leadership;
    bool transfer_done;         /* with transfer_status */
    int transfer_status;
    bool change_done;           /* the membership change, with its status */
    int change_status;
    bool snapshot_chunk;        /* the message's chunk is from our leader and
                                   of use: store it, answer it */
    struct raft_snapshot_want *wants;
    size_t want_count, want_cap;
    struct raft_entries_want *fetches;
    size_t fetch_count, fetch_cap;
};

int raft_new(const struct raft_core_config *config, struct raft **out);
void raft_free(struct raft *core);

/**
 * Feeds one event in and adds to *update (zero-initialised by the caller) what
 * is owed. Pure: same state, event and seed, same update.
 * Returns 0; RAFT_EINVAL (a message that no honest server sends), RAFT_EDECODE,
 * RAFT_ENOTLEADER, RAFT_ECHANGE, RAFT_ENOSERVER, RAFT_EEXIST, RAFT_EBUSY: then
 * nothing but the term (and the role, with a newer one) has changed. The update
 * counts either way.
 */
int raft_step(struct raft *core, struct raft_event *event,
              struct raft_update *update);
void raft_update_close(struct raft_update *update);

/** Forgets the data of the oldest entries, up to index (durable and applied) at
 * most, until those in memory take no more than bytes_max: the storage has
 * them, and an update asks for what a follower needs of them. */
void raft_forget(struct raft *core, raft_index index, size_t bytes_max);

/** When to step with RAFT_EVENT_TICK at the latest; UINT64_MAX: never. */
uint64_t raft_deadline_ms(const struct raft *core);

/** Committed, and durable here: may be applied. */
raft_index raft_apply_index(const struct raft *core);
/** The entry at index, borrowed until the next step; NULL if it is not in
 * memory. */
const struct raft_entry *raft_entry_at(const struct raft *core,
                                       raft_index index);

enum raft_role raft_role(const struct raft *core);
raft_term raft_current_term(const struct raft *core);
const char *raft_leader_id(const struct raft *core);
const char *raft_voted_for(const struct raft *core);
const char *raft_cluster_id(const struct raft *core);
raft_index raft_first_index(const struct raft *core);
raft_index raft_last_index(const struct raft *core);
raft_term raft_term_at(const struct raft *core, raft_index index);
raft_index raft_commit_index(const struct raft *core);
raft_index raft_durable_index(const struct raft *core);
uint64_t raft_leader_heard_ms(const struct raft *core);
/** Its storage has lost something, and it has not yet been given back all. */
bool raft_is_behind(const struct raft *core);
/** On its way back: until its log reaches this index it does not count. 0
 * before and after. */
raft_index raft_repair_until(const struct raft *core);
/** The one in force, and the index that made it (0: none). */
const struct raft_configuration *
raft_current_configuration(const struct raft *core, raft_index *index);
/** The newest whose index is at most index; NULL if there is none. */
const struct raft_configuration *
raft_configuration_at(const struct raft *core, raft_index index,
                      raft_index *at);

/** How a follower stands, as its leader sees it. */
struct raft_progress {
    raft_index match;
    raft_index next;
    uint64_t heard_ms;
    uint64_t moved_ms; /* when it last came further */
    uint32_t inflight;
    bool snapshot; /* it is being sent one */
    bool behind;   /* its storage lost something: it does not count */
};
/** False if we do not lead or id is not a peer. */
bool raft_peer_progress(const struct raft *core, const char *id,
                        struct raft_progress *out);

/** Walks the whole structure and aborts at a broken invariant: for tests. */
void raft_check(const struct raft *core);

#endif
