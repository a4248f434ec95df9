/*
 * A Raft server: the pure core (raft/core.h) with storage, transport, timers
 * and a state machine around it.
 *
 * Durability, in one place: a vote, a term and an acknowledgement leave only
 * after what they promise is durable; a leader counts its own entry, and
 * everybody applies, only up to the own durable index.
 *
 * Threads: the loop of env.
 */
#ifndef RAFT_NODE_H
#define RAFT_NODE_H

#include "base/env.h"
#include "raft/error.h"
#include "raft/fsm.h"
#include "raft/storage.h"
#include "raft/transport.h"

struct raft_node;

/** How a follower fares, in its leader's eyes. */
enum raft_follower_state {
    RAFT_FOLLOWER_LEVEL,     /* it has the log, but for what is on its way */
    RAFT_FOLLOWER_LAGGING,   /* it lacks more than 1,024 entries */
    RAFT_FOLLOWER_REPAIRING, /* its storage lost something, and does not count */
    RAFT_FOLLOWER_SILENT     /* not heard for an election timeout */
};

struct raft_node_config {
    const char *id;                  /* our server id; copied */
    const char *cluster_id;          /* NULL until bootstrap says; messages of
                                        another cluster are refused */
    struct raft_storage *storage;    /* given: closed with the node */
    struct raft_transport transport;
    struct raft_fsm fsm;
    uint32_t election_timeout_ms;    /* 0: 1,000; actual: random in [1x, 2x) */
    uint32_t heartbeat_interval_ms;  /* 0: 100 */
    uint32_t proposals_max;          /* waiting to commit; 0: 65,536 */
    uint32_t inflight_bytes_max;     /* of proposals; 0: 64 MiB */

    /** Role, term or leader changed. leader_id is "" if unknown. */
    void (*on_state)(void *ctx, enum raft_role role, raft_term term,
                     const char *leader_id);
    /** A configuration is in force (from appending on). */
    void (*on_configuration)(void *ctx,
                             const struct raft_configuration *configuration);
    /** While we lead, within 100 ms: a follower's state is another one than
     * before (LEVEL, of one that was never told). lag: entries that it is not
     * known to have. */
    void (*on_follower)(void *ctx, const char *id,
                        enum raft_follower_state state, raft_index lag);
    /** The server has stopped for good: storage or state machine failed. */
    void (*on_fatal)(void *ctx, int err, const char *why);
    void *ctx;

    /* A snapshot is taken after that many entries (0: 16,384; UINT32_MAX:
     * never), and the last so many stay in the log for slow followers
     * (0: 4,096). */
    uint32_t snapshot_threshold;
    uint32_t snapshot_trailing;

    /* What the log may take in memory, beside what is not yet applied; older
     * entries are read from the storage for followers that lag (0: 16 MiB). */
    uint32_t log_cache_bytes;

    /* Above 0, read barriers need no round trip while a lease lasts. It holds
     * if no two clocks of the cluster run apart by more than twice this (each
     * is off by at most so many millionths), while they run: not across a
     * suspended machine. The same on every server, or a lease never holds; at
     * most 500,000. See docs/raft.md, "Reads". 0: every barrier asks. */
    uint32_t lease_drift_ppm;
};

/** Loads the storage (later, from the loop) and becomes a follower. on_state
 * comes when it is ready. */
int raft_node_new(struct base_env *env, const struct raft_node_config *config,
                  struct raft_node **out);
/** Stops at once. Proposals that wait get RAFT_ESTOPPED before it returns,
 * other callbacks never come. May be called inside a callback. */
void raft_node_free(struct raft_node *node);

/** Makes the first configuration (index 1), durably, if the storage is empty:
 * RAFT_EEXIST otherwise. The same list on every first server. RAFT_EBUSY
 * before the storage is loaded (on_state tells), RAFT_EINVAL for empty or
 * repeated ids or no voter. */
int raft_node_bootstrap(struct raft_node *node,
                        const struct raft_configuration *configuration,
                        raft_storage_done_fn done, void *arg);
/** True once loaded, and whether a configuration is known. */
bool raft_node_is_ready(const struct raft_node *node);
bool raft_node_is_bootstrapped(const struct raft_node *node);

/** A packed message from a peer, borrowed. */
void raft_node_receive(struct raft_node *node, const void *data, size_t len);

/** status 0 with where it stands and what the FSM gave (given to the callee),
 * or RAFT_ENOTLEADER, RAFT_ELOST (it may still commit!), RAFT_ESTOPPED. */
typedef void (*raft_propose_fn)(void *arg, int status, raft_index index,
                                void *result);
/** Replicates a command; data is copied. RAFT_EBUSY, RAFT_ETOOBIG,
 * RAFT_ENOTLEADER at once mean that nothing happened. */
int raft_node_propose(struct raft_node *node, const void *data, size_t len,
                      raft_propose_fn done, void *arg);
/** done(0) once a majority confirmed that we lead and everything committed
 * before the call is applied here: a linearizable read may run. Read index,
 * Raft thesis 6.4. */
int raft_node_read_barrier(struct raft_node *node, raft_storage_done_fn done,
                           void *arg);
/** Adds, promotes or changes the address of one server; removes one. One
 * change at a time (thesis 4.1); done when it is committed. */
int raft_node_add_server(struct raft_node *node,
                         const struct raft_server *server,
                         raft_storage_done_fn done, void *arg);
int raft_node_remove_server(struct raft_node *node, const char *id,
                            raft_storage_done_fn done, void *arg);
#define RAFT_RESTORE_PIECE_BYTES_MAX (512u << 10)
#define RAFT_RESTORE_PIECES_MAX 8u /* on their way */

/**
 * Replaces the state, on every server at the same place of the log, by an image
 * as snapshot_read gives it, of any length: begin, pieces in order, end.
 * docs/raft.md, "Restoring". What is proposed meanwhile commits as ever, and
 * counts if it comes after the end.
 *
 * begin: RAFT_ENOTLEADER, RAFT_ERESTORE (one at a time), RAFT_EINVAL (the state
 * machine has no restore_begin). End or abort it soon: while it is open no
 * snapshot is taken.
 * piece: data is copied; done(0) when it is in the log for good. RAFT_EBUSY at
 * once: too many are on their way. Any other error ends the restore, as if
 * aborted.
 * end: done(0) when this server has the new state. RAFT_ENOTLEADER,
 * RAFT_EREFUSED: it never happens. RAFT_ELOST: it may still.
 */
int raft_node_restore_begin(struct raft_node *node, uint64_t *id);
int raft_node_restore_piece(struct raft_node *node, uint64_t id,
                            const void *data, size_t len,
                            raft_storage_done_fn done, void *arg);
int raft_node_restore_end(struct raft_node *node, uint64_t id,
                          raft_storage_done_fn done, void *arg);
/** Nothing happens if its end is on its way, or if it is over. */
void raft_node_restore_abort(struct raft_node *node, uint64_t id);
/** Hands leadership to a voter; "" picks the most caught up. */
int raft_node_transfer(struct raft_node *node, const char *id,
                       raft_storage_done_fn done, void *arg);

struct raft_status {
    enum raft_role role;
    raft_term term;
    char leader_id[RAFT_ID_MAX];
    char leader_address[RAFT_ADDRESS_MAX];
    raft_index first_index, last_index, commit_index, applied_index,
        durable_index;
    uint64_t leader_contact_ms; /* monotonic; when we last heard the leader */
    size_t proposals_waiting; /* for their commit */
    size_t writes_waiting;    /* for the disk */
    char cluster_id[RAFT_ID_MAX]; /* "" if not yet known */
    bool behind; /* the storage lost something: it neither votes nor leads */
    bool stopped;
};
void raft_node_status(const struct raft_node *node, struct raft_status *out);
/** Valid until the loop runs on; server_count 0 before there is one. */
const struct raft_configuration *
raft_node_configuration(const struct raft_node *node);
/** The core inside, for looking at it (raft/core.h): tests, reports. */
struct raft;
const struct raft *raft_node_core(const struct raft_node *node);

#endif
