/*
 * Secondary to primary: on the leader of every datacenter, our own record in
 * the table is kept equal to our catalog's gateways. It waits for a change of
 * either, never polls, and spaces its syncs. Source: federation.md section 8.
 * Threads: the loop of env.
 */
#ifndef FEDSTATE_ANTIENTROPY_H
#define FEDSTATE_ANTIENTROPY_H

#include "fedstate/primary.h"
#include "fedstate/store.h"

struct fedstate_antientropy;

/** What our catalog says, with the index at which it last moved. Called on
 * the loop; the answer is the caller's (base_pb_free each; base_free array). */
struct fedstate_catalog_ops {
    uint32_t version; /* 1 */
    uint64_t (*gateways)(void *ctx, Fedstate__CheckServiceNode ***out,
                         size_t *count);
};

struct fedstate_antientropy_config {
    const char *datacenter; /* ours; copied */
    struct fedstate_store *store;
    const struct fedstate_catalog_ops *catalog;
    void *catalog_ctx;
    struct fedstate_primary primary; /* in the primary: its own Raft */
    /** We are the primary: the index that an Apply replaces is our table's own,
     * even where a record still tells of a primary that ruled it before. */
    bool is_primary;
    /** False while our servers or the primary's include one that does not know
     * federation states: nothing is sent, and nothing looks again before
     * fedstate_antientropy_wake() or _changed(). NULL: always supported. */
    bool (*supported)(void *ctx);
    void *supported_ctx;
    uint32_t sync_interval_ms;         /* between syncs over time, of which
                                          five may come in a row, a tenth of
                                          a second apart; 0: 1,000 */
    uint32_t check_update_interval_ms; /* output-only changes; 0: 300,000 */
    uint32_t backoff_max_ms;           /* 0: 120,000 */
};

/** Starts: from winning leadership. Every Apply carries the index that it
 * replaces, so a conflict is no loss: the record is read again once it
 * moved. */
int fedstate_antientropy_new(struct base_env *env,
                             const struct fedstate_antientropy_config *config,
                             struct fedstate_antientropy **out);
/** Stops: at its loss. Before the store goes. */
void fedstate_antientropy_free(struct fedstate_antientropy *antientropy);
/** The catalog's gateways (may) have changed: looks soon. The store's own
 * changes are watched without being told. */
void fedstate_antientropy_changed(struct fedstate_antientropy *antientropy);
/** Looks now instead of waiting out a backoff: a path may have come back, or
 * the last server that was too old is gone. The pace of syncs holds. */
void fedstate_antientropy_wake(struct fedstate_antientropy *antientropy);

struct fedstate_antientropy_status {
    bool in_sync;             /* as of the last look */
    bool unsupported;         /* waits until all servers know federation states */
    uint64_t last_success_ms; /* monotonic; 0: never */
    uint32_t failures;        /* in a row, conflicts too */
    int last_error;           /* 0 after a success */
};
void fedstate_antientropy_status(
    const struct fedstate_antientropy *antientropy,
    struct fedstate_antientropy_status *out);

#endif
