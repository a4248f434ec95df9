/*
 * Storage in one folder: raft.db (SQLite, WAL, synchronous=FULL, group commit
 * on the log worker), the side record, snapshots. See docs/raft.md for what
 * each PRAGMA is for.
 */
#ifndef RAFT_STORAGE_SQLITE_H
#define RAFT_STORAGE_SQLITE_H

#include "raft/storage.h"

/** Opens or makes the files in folder (which exists) for the server id.
 * Waits for the disk: call it before the loop runs. why (if not NULL) gets a
 * sentence, the caller's (base_free). RAFT_ELOCKED, RAFT_EFORMAT,
 * RAFT_EFOREIGN, RAFT_ECORRUPT, RAFT_ESTORAGE. */
int raft_storage_sqlite_open(struct base_env *env, const char *folder,
                             const char *server_id, struct raft_storage **out,
                             char **why);

#endif
