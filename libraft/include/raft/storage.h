/*
 * What must outlive a crash: term, vote, log, snapshots. A storage answers
 * asynchronously, in the order of submission, and only after the bytes are
 * durable. raft/storage_sqlite.h is the real one, raft/storage_memory.h the
 * twin for tests.
 * Threads: calls and callbacks on the node's loop; the work elsewhere.
 */
#ifndef RAFT_STORAGE_H
#define RAFT_STORAGE_H

#include "base/env.h"
#include "raft/error.h"
#include "raft/types.h"

struct raft_storage;

/** What load() finds. Entries begin after the snapshot, without a gap, their
 * checksums and configurations checked. Entries are owned by the callee after the callback;
 * free each data with base_free, and the array too. */
struct raft_stored {
    raft_term term;
    char voted_for[RAFT_ID_MAX]; /* "" for nobody */
    struct raft_entry *entries;
    size_t entry_count;
    raft_index snapshot_index; /* 0: no snapshot */
    raft_term snapshot_term;
    struct raft_configuration snapshot_configuration;
    raft_index configuration_index;
    bool behind; /* shows less than its side record promises: must not vote */
    raft_index repair_until; /* what the last raft_write with set_repair said */
};

/** One durable step: term and vote if they changed, then truncation, then
 * entries. Everything is borrowed until done, or until close has returned. */
struct raft_write {
    bool set_vote;
    raft_term term;
    const char *voted_for;
    raft_index truncate_from; /* 0: nothing; drops this index and all after */
    const struct raft_entry *entries;
    size_t entry_count;
    /* Until the log reaches repair_until again, this server must not vote:
     * what it lost is being given back (docs/raft.md, "The way back"). load()
     * says so from this write on, no longer `behind`; 0 ends it. If a crash
     * leaves only a part of a write, this must be in it. */
    bool set_repair;
    raft_index repair_until;
};

typedef void (*raft_storage_done_fn)(void *arg, int status);
typedef void (*raft_storage_load_fn)(void *arg, int status,
                                     struct raft_stored *stored);

typedef void (*raft_storage_entries_fn)(void *arg, int status,
                                        struct raft_entry *entries,
                                        size_t count);

struct raft_storage_ops {
    uint32_t version; /* 2 */
    /** Reads everything; the first call. */
    int (*load)(struct raft_storage *storage, raft_storage_load_fn done,
                void *arg);
    /** done(0) once it is durable. After an error the storage is finished:
     * every later call fails (a failed fsync is final). */
    int (*write)(struct raft_storage *storage, const struct raft_write *write,
                 raft_storage_done_fn done, void *arg);
    /** Snapshot under way, one at a time: pieces in order, then finish makes
     * it durable and, in the order of writes, drops log entries up to
     * keep_after; and the whole log if its entry at the snapshot's index is
     * missing or of another term. abort forgets it. */
    int (*snapshot_begin)(struct raft_storage *storage, raft_index index,
                          raft_term term,
                          const struct raft_configuration *configuration,
                          raft_index configuration_index);
    int (*snapshot_append)(struct raft_storage *storage, const void *data,
                           size_t len, raft_storage_done_fn done, void *arg);
    int (*snapshot_finish)(struct raft_storage *storage, raft_index keep_after,
                           raft_storage_done_fn done, void *arg);
    void (*snapshot_abort)(struct raft_storage *storage);
    /** Reads a piece of the snapshot of that index, which must be the newest
     * (RAFT_EINVAL otherwise); data is lent to the callback. */
    int (*snapshot_read)(struct raft_storage *storage, raft_index index,
                         uint64_t offset, size_t limit,
                         void (*done)(void *arg, int status, const void *data,
                                      size_t len, bool last),
                         void *arg);
    /** Frees it, after the batch that the disk is busy with. What waits behind
     * that is dropped, as in a crash, and no callback comes any more: nothing
     * that was not yet answered was promised. */
    void (*close)(struct raft_storage *storage);
    /** Since 2; NULL: the node keeps the whole log in memory. Reads durable
     * entries from first on, at least one and about limit bytes of them. They
     * are given to the callee: raft_data_unref() each data, base_free() the
     * array. RAFT_EINVAL if first is not there, RAFT_ECORRUPT. */
    int (*read_entries)(struct raft_storage *storage, raft_index first,
                        size_t limit, raft_storage_entries_fn done, void *arg);
};

/** The part every storage begins with. */
struct raft_storage {
    const struct raft_storage_ops *ops;
    struct base_env *env;
};

#endif
