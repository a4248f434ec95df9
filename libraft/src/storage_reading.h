/* What both storages share of reading entries for a follower that lags. */
#ifndef LIBRAFT_STORAGE_READING_H
#define LIBRAFT_STORAGE_READING_H

#include "base/alloc.h"
#include "storage_queue.h"

struct storage_reading {
    struct storage_op op; /* first */
    raft_index first;
    size_t limit;
    size_t bytes;
    struct raft_entry *entries; /* data counted */
    size_t count, cap;
    raft_storage_entries_fn done;
};

static inline struct storage_reading *storage_reading_of(struct storage_op *op)
{
    return BASE_CONTAINER_OF(op, struct storage_reading, op);
}
/** run calls storage_reading_add() for the entries from first on. */
int storage_reading_push(struct storage_queue *queue,
                         int (*run)(void *storage, struct storage_op *op),
                         raft_index first, size_t limit,
                         raft_storage_entries_fn done, void *arg);
/** Copies the next entry; false if it was the last one wanted. */
bool storage_reading_add(struct storage_reading *reading,
                         const struct raft_entry *entry);

#endif
