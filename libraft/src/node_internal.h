/*
 * The node's state and what its files call of each other:
 *   node.c          life, the turn, timers, callbacks about the state
 *   node_io.c       updates of the core: messages, writes; what comes in
 *   node_apply.c    proposals, applying, read barriers
 *   node_reading.c  entries for followers that memory has no more
 *   node_snapshot.c snapshots: sent, installed, restored
 *   node_taking.c   snapshots: our own
 *   node_restore.c  a user's state into the log
 *   node_replace.c  and from there into the state machine
 *   node_followers.c how followers fare
 *
 * User callbacks run in the turn only (a timer of 0 that any change starts),
 * so that none comes inside a call of the user's, and any of them may free the
 * node.
 */
#ifndef LIBRAFT_NODE_INTERNAL_H
#define LIBRAFT_NODE_INTERNAL_H

#include <sys/queue.h>

#include "raft/core.h"
#include "raft/node.h"
#include "restore_part.h"

/* A batch of the state machine, and how long a turn may apply: callbacks of a
 * loop stay below 5 ms. */
#define APPLY_ENTRIES_MAX 512u
#define APPLY_BYTES_MAX (512u << 10)
#define APPLY_TURN_NS (2u * 1000u * 1000u)

/* A write that the storage has; keeps what it borrowed. */
struct node_write {
    LIST_ENTRY(node_write) link;
    struct raft_node *node;
    struct raft_update update;
    struct raft_write write;
    uint64_t since_ns;
};

/* Leaves once the write is durable. */
struct held_message {
    STAILQ_ENTRY(held_message) next;
    uint64_t after_id;
    struct raft_message message;
};

struct proposal {
    raft_index index;
    raft_term term;
    raft_propose_fn done;
    void *arg;
    size_t len;
    uint64_t since_ns;
};

/* Proposals that wait to commit, in the order of indexes: a ring. */
struct proposal_ring {
    struct proposal *ring;
    size_t cap, start, count;
};

struct barrier {
    STAILQ_ENTRY(barrier) next;
    uint64_t read_id; /* 0: not yet asked */
    bool confirmed;
    int status;
    raft_index index;
    uint64_t until_ms; /* a lease's end; 0: none needed */
    raft_storage_done_fn done;
    void *arg;
};

/* One wish at a time of each kind has a callback waiting. */
struct waiter {
    bool active;
    bool finished;
    int status;
    raft_storage_done_fn done;
    void *arg;
};

/* What a snapshot is of. */
struct snapshot_about {
    raft_index index;
    raft_term term;
    raft_index configuration_index;
    struct raft_configuration configuration;
};

/* A snapshot that comes from the leader, chunk by chunk, into the storage. */
struct node_installing {
    bool active;
    bool last; /* the last chunk has come */
    struct snapshot_about about;
    uint64_t offset; /* of the next chunk */
    uint64_t stored; /* up to here the storage has it */
    /* Chunks that the storage has and has not answered: a ring. */
    size_t lens[RAFT_SNAPSHOT_WINDOW];
    unsigned first, pending;
    char leader[RAFT_ID_MAX];
    uint64_t round;
};

/* A snapshot that goes from the storage into the state machine. */
struct node_restoring {
    bool active; /* nothing is applied meanwhile */
    struct snapshot_about about;
    uint64_t offset;
};

/* A restore that our user gives us. */
struct node_restore {
    uint64_t id;
    raft_term term;
    uint64_t offset;
    uint32_t checksum;
    unsigned waiting; /* pieces and end, not answered */
    bool ended;
};

/* A restored state that goes from the log into the state machine. */
struct node_replacing {
    bool active;           /* nothing is applied meanwhile */
    raft_index end, next;  /* its last entry, and the next to look at */
    raft_term term;        /* of the last */
    uint64_t offset, len;
    uint32_t checksum, wanted;
    bool tell; /* who proposed the last entry gets status */
    int status;
};

/* A follower while we lead; id "": none. */
struct node_follower {
    char id[RAFT_ID_MAX];
    enum raft_follower_state state;
    raft_index lag;
    bool tell, seen;
    struct base_gauge *lag_gauge;
};

struct node_metrics {
    struct base_counter *sent, *received, *dropped, *elections, *applied,
        *snapshots_taken, *snapshots_installed, *snapshot_chunks_sent, *restored,
        *entries_read;
    struct base_counter *refused_decode, *refused_cluster, *refused_to,
        *refused_unknown, *refused_state;
    struct base_histogram *commit_us, *write_us;
    struct base_gauge *term, *last_index, *commit_index, *applied_index,
        *proposals, *writes, *leader;
};

struct raft_node {
    struct base_env *env;
    struct base_log log;
    struct base_log_limit refused_limit;
    struct raft_node_config config;
    char id[RAFT_ID_MAX];
    char adopted_cluster[RAFT_ID_MAX]; /* a joining server's, until its log
                                          says so itself */
    struct raft *core;
    bool ready;
    bool stopped;
    bool freed;   /* by a callback; the turn frees the memory */
    bool in_turn;
    int fatal_err;
    bool tell_fatal;
    const char *fatal_why;
    struct raft_term_role {
        raft_term term;
        enum raft_role role;
    } logged;

    struct base_timer tick;
    uint64_t tick_due_ms;
    struct base_timer turn;

    uint64_t write_done;
    LIST_HEAD(, node_write) writes;
    STAILQ_HEAD(, held_message) held;
    struct base_buf packed; /* scratch */
    bool unflushed;         /* the transport may hold messages back */

    size_t write_count;
    struct node_follower followers[RAFT_SERVERS_MAX];
    uint64_t followers_due_ms;

    bool tell_state, tell_configuration, lost_leadership;
    struct waiter bootstrap, change, transfer;
    uint64_t bootstrap_write;

    /* node_apply.c */
    raft_index applied;
    struct proposal_ring waiting;
    struct raft_entry *queued; /* for the next turn's append */
    struct proposal *queued_proposals;
    size_t queued_count, queued_cap;
    size_t inflight_bytes;
    STAILQ_HEAD(, barrier) barriers;
    size_t barrier_count;
    uint64_t last_read_id;

    LIST_HEAD(, node_reading) readings; /* node_reading.c */

    /* node_snapshot.c */
    struct snapshot_about newest; /* that the storage has; index 0: none */
    struct node_taking *taking;
    LIST_HEAD(, node_sending) sendings;
    struct node_installing installing;
    struct node_restoring restoring;
    bool snapshot_wanted; /* before it is due */

    /* node_restore.c, node_replace.c */
    struct node_restore restore; /* ours, as leader; id 0: none */
    bool giving_up;  /* it is being told, or was refused just now */
    bool tidy_again; /* that, with the next tick */
    struct restore_track track; /* as of applied */
    struct node_replacing replacing;

    struct node_metrics metrics;
};

/* ---- node.c ---- */
static inline uint64_t node_now_ms(struct raft_node *node)
{
    return base_env_now_ms(node->env);
}
void node_wake(struct raft_node *node);
/** The storage or the state machine failed: nothing goes on. why is a
 * constant. */
void node_fail(struct raft_node *node, int err, const char *why);
void node_metrics_init(struct raft_node *node);

/* ---- node_io.c ---- */
/** Steps the core at the present time and does what it asks for. */
int node_step(struct raft_node *node, struct raft_event *event);
void node_send(struct raft_node *node, const struct raft_message *message);
const char *node_cluster_id(const struct raft_node *node);
void node_io_free(struct raft_node *node);

/* ---- node_apply.c ---- */
void apply_flush_proposals(struct raft_node *node);
/** An entry of the next turn's append; data is copied. */
void apply_queue(struct raft_node *node, enum raft_entry_type type,
                 const void *data, size_t len, raft_propose_fn done,
                 void *arg);
/** Who proposed a part of a restore; false if the node was freed. */
bool apply_answer_restore(struct raft_node *node, raft_index index,
                          raft_term term, int status);
/** Applies for a while; false if the node was freed meanwhile. */
bool apply_committed(struct raft_node *node);
bool apply_barriers(struct raft_node *node);
void apply_reads_ready(struct raft_node *node,
                       const struct raft_update *update);
/** Everybody who waits gets err; false if the node was freed meanwhile. */
bool apply_fail_all(struct raft_node *node, int err);
void apply_free(struct raft_node *node);

/* ---- node_reading.c ---- */
void reading_start(struct raft_node *node,
                   const struct raft_entries_want *want);
bool reading_is_possible(const struct raft_node *node);
/** Keeps the log in memory within its bound. */
void reading_forget(struct raft_node *node);
void reading_free(struct raft_node *node);

/* ---- node_followers.c ---- */
void followers_look(struct raft_node *node);
/** False if the node was freed meanwhile. */
bool followers_tell(struct raft_node *node);

/* ---- node_taking.c ---- */
/** Begins a snapshot if enough was applied since the last one. */
void snapshot_consider(struct raft_node *node);
void taking_free(struct raft_node *node);

/* ---- node_restore.c ---- */
void restore_tidy(struct raft_node *node);
void restore_tick(struct raft_node *node);

/* ---- node_replace.c ---- */
/** The next entry, a part of a restore: applied moves past it, or the state is
 * being replaced. False if the node was freed meanwhile. */
bool replace_take(struct raft_node *node, const struct raft_entry *entry);
/** While the state is being replaced. */
void replace_go_on(struct raft_node *node);
/** Answers for one that is over; false if the node was freed meanwhile. */
bool replace_tell(struct raft_node *node);

/* ---- node_snapshot.c ---- */
void snapshot_send_wanted(struct raft_node *node,
                          const struct raft_snapshot_want *want);
void snapshot_receive_chunk(struct raft_node *node,
                            const struct raft_message *message);
/** One comes from the leader, and is still of use. */
bool snapshot_is_installing(struct raft_node *node);
/** Puts the storage's newest snapshot into the state machine. */
void snapshot_restore(struct raft_node *node);
void snapshot_free(struct raft_node *node);

#endif
