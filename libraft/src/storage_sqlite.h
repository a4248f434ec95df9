/* What the files of the SQLite storage share. */
#ifndef LIBRAFT_STORAGE_SQLITE_PRIVATE_H
#define LIBRAFT_STORAGE_SQLITE_PRIVATE_H

#include "base/alloc.h"
#include "raft/storage_sqlite.h"
#include "sqlite_db.h"
#include "sqlite_side.h"
#include "sqlite_snapshot.h"

struct storage_sqlite {
    struct raft_storage storage; /* first */
    struct base_log log;
    struct base_histogram *sync_us; /* a transaction with its sync */
    char *folder;
    int lock_fd;
    struct raft_db db;      /* the log worker's */
    struct raft_db bulk_db; /* the bulk worker's */
    struct side_file side;
    char server_id[RAFT_ID_MAX];
    struct storage_queue *queue;
    struct storage_queue *bulk;
    bool checkpointing;
    int checkpoint_pages; /* at which the next one begins */

    /* Snapshots: the worker's file, and what the loop knows of it. */
    struct snapshot_writer writer;
    bool taking;
    raft_index taking_index, configuration_index;
    raft_term taking_term;
    struct raft_configuration configuration;
};

static inline struct storage_sqlite *sqlite_of(struct raft_storage *storage)
{
    return BASE_CONTAINER_OF(storage, struct storage_sqlite, storage);
}

/** Raft's files that cannot be used any more are put beside ("raft.db.damaged"),
 * and new ones begun; the side record says from before on that something is
 * lost. RAFT_ECORRUPT, and nothing changed, if there is no side record. */
int sqlite_set_aside(struct storage_sqlite *sqlite);

/** The side record as the database now stands. */
struct side_record sqlite_record_now(const struct storage_sqlite *sqlite);

/* ---- storage_sqlite_snapshot.c ---- */
int sqlite_snapshot_begin(struct raft_storage *storage, raft_index index,
                          raft_term term,
                          const struct raft_configuration *configuration,
                          raft_index configuration_index);
int sqlite_snapshot_append(struct raft_storage *storage, const void *data,
                           size_t len, raft_storage_done_fn done, void *arg);
int sqlite_snapshot_finish(struct raft_storage *storage,
                           raft_index keep_after, raft_storage_done_fn done,
                           void *arg);
void sqlite_snapshot_abort(struct raft_storage *storage);
int sqlite_snapshot_read(struct raft_storage *storage, raft_index index,
                         uint64_t offset, size_t limit,
                         void (*done)(void *arg, int status, const void *data,
                                      size_t len, bool last),
                         void *arg);
/** Reads all of a snapshot's file: RAFT_ECORRUPT if it is damaged or gone. */
int sqlite_snapshot_check(const char *folder, raft_index index);
/** Removes snapshot files but the one of index. */
void sqlite_snapshot_clean(const char *folder, raft_index index);

#endif
