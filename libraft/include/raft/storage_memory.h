/*
 * Storage in memory, for tests and embedders that want no disk. The disk
 * outlives the storage, as a real one outlives a process: what was not yet
 * durable at a crash is lost.
 */
#ifndef RAFT_STORAGE_MEMORY_H
#define RAFT_STORAGE_MEMORY_H

#include "raft/storage.h"

struct raft_memory_disk;

struct raft_memory_disk *raft_memory_disk_new(void);
void raft_memory_disk_free(struct raft_memory_disk *disk);
/** A storage on it; writes become durable through env's log worker, so in the
 * simulator with its delays. One at a time a disk. */
struct raft_storage *raft_storage_memory_open(struct base_env *env,
                                              struct raft_memory_disk *disk);
/** True if nothing was ever stored there. */
bool raft_memory_disk_is_empty(const struct raft_memory_disk *disk);

#endif
