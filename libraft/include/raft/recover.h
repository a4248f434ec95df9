/*
 * Manual recovery of a cluster whose majority is lost for good: every server
 * that is left is stopped, and its storage is given the same new list of
 * servers. What it has of the log counts as committed, all of it: entries that
 * only lost servers had are gone, and entries that never were committed may
 * become so. It is the operator's decision, and the last resort.
 *
 * The cluster gets a new name, made from the list, so that a lost server that
 * comes back after all is refused as one of another cluster.
 *
 * Threads: the loop of env.
 */
#ifndef RAFT_RECOVER_H
#define RAFT_RECOVER_H

#include "base/env.h"
#include "raft/error.h"
#include "raft/fsm.h"
#include "raft/storage.h"

struct raft_recover_config {
    struct raft_storage *storage; /* given: closed before done is called */
    /* Fed with everything that the storage has, then asked for an image; not
     * to be used otherwise. It needs snapshot and restore. */
    struct raft_fsm fsm;
    const struct raft_configuration *configuration; /* copied */
    /** May complete the list from the one that was in force. May be NULL. */
    void (*complete)(void *ctx, const struct raft_configuration *known,
                     struct raft_configuration *wanted);
    void *ctx;
};

/** Starts; done(arg, 0) comes once the storage holds one snapshot with the new
 * configuration, and no log. Done twice with the same list, it changes nothing
 * more. RAFT_EINVAL: a list without voters or with equal ids, or a storage that
 * never was part of a cluster. After any error the storage is as it was. */
int raft_recover(struct base_env *env, const struct raft_recover_config *config,
                 raft_storage_done_fn done, void *arg);

#endif
