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
/** After the storages on it are closed and their loop has run what was left. */
void raft_memory_disk_free(struct raft_memory_disk *disk);
/** A storage on it; writes become durable through env's log worker, so in the
 * simulator with its delays. One at a time a disk. */
struct raft_storage *raft_storage_memory_open(struct base_env *env,
                                              struct raft_memory_disk *disk);
/** True if nothing was ever stored there. */
bool raft_memory_disk_is_empty(const struct raft_memory_disk *disk);

/** Faults for tests. before_write is asked on the worker before each batch of
 * writes: an error of its is the disk's. */
struct raft_memory_faults {
    int (*before_write)(void *arg);
    void *arg;
};
void raft_memory_disk_set_faults(struct raft_memory_disk *disk,
                                 const struct raft_memory_faults *faults);
/** Entries held, and one bit of one of them turned over, while no storage is
 * open. False if there is no such entry. */
size_t raft_memory_disk_entry_count(const struct raft_memory_disk *disk);
bool raft_memory_disk_flip_bit(struct raft_memory_disk *disk, size_t entry,
                               size_t bit);
/** Forgets the last count entries, which the next load() reports as `behind`;
 * returns how many there were to forget. */
size_t raft_memory_disk_lose_tail(struct raft_memory_disk *disk, size_t count);
/** Nothing was lost, or all of it is there again. */
bool raft_memory_disk_is_whole(const struct raft_memory_disk *disk);

#endif
