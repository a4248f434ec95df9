/*
 * The table of federation states: one record a datacenter, the index that it
 * moved at last, and the readers that wait for it to move. Pure memory: Raft
 * drives it from above, so same changes give the same table everywhere.
 * Source: federation.md section 6.
 * Threads: the loop of env.
 */
#ifndef FEDSTATE_STORE_H
#define FEDSTATE_STORE_H

#include "base/buf.h"
#include "base/env.h"
#include "fedstate/error.h"
#include "fedstate/fedstate.pb-c.h"

#define FEDSTATE_DATACENTERS_MAX 4096
#define FEDSTATE_WAIT_DEFAULT_MS 300000u
#define FEDSTATE_WAIT_MAX_MS 600000u
#define FEDSTATE_WAITERS_MAX 16384 /* readers that wait at one time */

struct fedstate_store;

struct fedstate_store *fedstate_store_new(struct base_env *env);
/** Waiting readers go with it: their done does not come. */
void fedstate_store_free(struct fedstate_store *store);

/** Applies a change at a Raft index; the change is copied. FEDSTATE_ENODC,
 * FEDSTATE_EOP, FEDSTATE_ESTALE (replaces_index is not the ModifyIndex that
 * stands, 0 for none, unless unconditional), FEDSTATE_ETOOBIG (over
 * FEDSTATE_DATACENTERS_MAX): nothing changed. An upsert keeps the CreateIndex
 * and sets the ModifyIndex to index. A delete moves the table's index too; of a
 * record that is not there it is a success that changes nothing. */
int fedstate_store_apply(struct fedstate_store *store, uint64_t index,
                         const Fedstate__Change *change);
/** The table's index; never below 1. */
uint64_t fedstate_store_index(const struct fedstate_store *store);
/** The index that an answer about one record depends on: its ModifyIndex, or
 * that of the last deletion if it is not there; never below 1. NULL: the
 * table's. */
uint64_t fedstate_store_index_of(const struct fedstate_store *store,
                                 const char *datacenter);
size_t fedstate_store_count(const struct fedstate_store *store);
/** Sorted by datacenter; borrowed until the next apply. */
const Fedstate__FederationState *
fedstate_store_at(const struct fedstate_store *store, size_t position);
/** NULL if it is not there. */
const Fedstate__FederationState *
fedstate_store_get(const struct fedstate_store *store, const char *datacenter);

/** A reader that waits. */
struct fedstate_wait;
enum fedstate_wake { FEDSTATE_WAKE_CHANGED, FEDSTATE_WAKE_TIMEOUT,
                     FEDSTATE_WAKE_LEADER_LOST };
typedef void (*fedstate_wait_fn)(void *arg, enum fedstate_wake why);
/**
 * Calls done once: later, as soon as the index is above min_index (at once, but
 * from the loop, if it is already, or min_index is 0), or after max_wait_ms (0:
 * the default; capped; plus up to 1/16 jitter). datacenter: wait for that
 * record alone, its deletion too; NULL: for any. A restore wakes all.
 * default_mode: an abandon wakes it. *out (may be NULL) lives until done.
 * Returns 0, or BASE_EFULL past FEDSTATE_WAITERS_MAX (done does not come;
 * counter isthmus.fedstate.waiters.refused).
 */
int fedstate_store_wait(struct fedstate_store *store, const char *datacenter,
                        uint64_t min_index, uint32_t max_wait_ms,
                        bool default_mode, fedstate_wait_fn done, void *arg,
                        struct fedstate_wait **out);
/** done does not come. */
void fedstate_wait_cancel(struct fedstate_wait *wait);
/** Leadership was lost: default-mode waiters wake with that reason. */
void fedstate_store_abandon(struct fedstate_store *store);

/** The whole table with its index, appended as a packed Fedstate__Table. */
void fedstate_store_snapshot(const struct fedstate_store *store,
                             struct base_buf *out);
/** Replaces the table and wakes all waiters. FEDSTATE_EDECODE: nothing
 * changed. */
int fedstate_store_restore(struct fedstate_store *store, const void *data,
                           size_t len);

#endif
