/*
 * Primary to secondary: on the leader of a secondary, a blocking List at the
 * primary, a merge-walk against our own table, the differences through our own
 * Raft. Source: federation.md section 7.
 * Threads: the loop of env.
 */
#ifndef FEDSTATE_REPLICATOR_H
#define FEDSTATE_REPLICATOR_H

#include "fedstate/primary.h"
#include "fedstate/store.h"

struct fedstate_replicator;

struct fedstate_replicator_config {
    struct fedstate_store *store;
    struct fedstate_primary primary;
    struct fedstate_local local;
    uint32_t list_wait_ms;       /* 0: 300,000 */
    uint32_t round_interval_ms;  /* 0: 1,000, burst 5 */
    uint32_t applies_per_second; /* 0: 100 */
    uint32_t backoff_max_ms;     /* 0: 120,000 */
    /** After each round: 0 if the primary answered and what it said is applied
     * (but for records that our table refuses, which are tried again), or why
     * it could not be asked. For the locator; a failure of our own Raft says
     * nothing of the way there and is not told. May free the replicator. */
    void (*on_round)(void *ctx, int status);
    void *ctx;
};

/** Starts: from winning leadership. */
int fedstate_replicator_new(struct base_env *env,
                            const struct fedstate_replicator_config *config,
                            struct fedstate_replicator **out);
/** Stops: at its loss. */
void fedstate_replicator_free(struct fedstate_replicator *replicator);

struct fedstate_replicator_status {
    uint64_t remote_index; /* of the last round that was applied; 0: none */
    char cluster_id[64];   /* the primary's, then */
    uint64_t last_success_ms, last_failure_ms; /* monotonic; 0: never */
    uint64_t first_failure_ms; /* of those in a row; 0: none */
    uint32_t failures; /* in a row */
    int last_error;    /* 0 after a success */
};
void fedstate_replicator_status(const struct fedstate_replicator *replicator,
                                struct fedstate_replicator_status *out);
/** A path may have come back: tries now instead of waiting out a backoff, and
 * the pauses begin at one second again, since what they had grown by is old. */
void fedstate_replicator_wake(struct fedstate_replicator *replicator);

#endif
