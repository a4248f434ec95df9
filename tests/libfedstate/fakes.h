/*
 * A primary and a local Raft that do what the test says: answer, fail, keep
 * silent, lag behind, be rebuilt. They count and time what they are asked.
 */
#ifndef TESTS_FEDSTATE_FAKES_H
#define TESTS_FEDSTATE_FAKES_H

#include "fedstate/primary.h"
#include "world.h"

struct fedstate_call;

enum fake_mode {
    FAKE_ANSWERS,
    FAKE_FAILS,       /* later, with status */
    FAKE_FAILS_AT_ONCE,
    FAKE_IS_SILENT,
    FAKE_SPINS        /* List: answers at once whatever the min index */
};

struct fake_primary {
    struct world *world;
    enum fake_mode mode;
    int status;
    uint32_t delay_ms; /* of an answer; 10 */

    struct fedstate_store *store; /* its table */
    const char *cluster_id;
    uint64_t lag_index; /* nonzero: a server that lags there answers */

    unsigned lists, applies, cancels;
    uint64_t last_list_ms, last_apply_ms;
    uint64_t last_min_index;
    struct fedstate_call *calls;
    void (*on_apply)(struct fake_primary *primary); /* before it is applied */
};
void fake_primary_open(struct fake_primary *primary, struct world *world);
void fake_primary_close(struct fake_primary *primary);
struct fedstate_primary fake_primary_ops(struct fake_primary *primary);
/** The primary's table changes; readers there are answered. */
void fake_primary_put(struct fake_primary *primary, uint64_t index,
                      Fedstate__FederationState *state);
void fake_primary_drop(struct fake_primary *primary, uint64_t index,
                       const char *dc);
/** A new cluster with an empty table; readers there see their calls fail. */
void fake_primary_rebuild(struct fake_primary *primary, const char *cluster_id);

/** Our own Raft, applying to the world's store. */
struct fake_raft {
    struct world *world;
    enum fake_mode mode;
    int status;
    const char *poison; /* this dc is refused with status */
    uint64_t index;
    unsigned applies, cancels;
    uint64_t first_ms, last_ms;
    char order[256]; /* "-dc +dc ..." */
    struct fedstate_call *calls;
};
void fake_raft_open(struct fake_raft *raft, struct world *world);
void fake_raft_close(struct fake_raft *raft);
struct fedstate_local fake_raft_ops(struct fake_raft *raft);
struct fedstate_primary fake_raft_as_primary(struct fake_raft *raft);

#endif
