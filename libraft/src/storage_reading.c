/* Gathered on a worker, given away on the loop. */
#include "storage_reading.h"

#include "base/alloc.h"
#include "entry.h"

static void tell(struct storage_op *op)
{
    struct storage_reading *reading = storage_reading_of(op);
    struct raft_entry *entries = reading->entries;
    size_t count = reading->count;

    if (op->status == 0 && count == 0)
        op->status = RAFT_EINVAL;
    if (op->status < 0) {
        reading->done(op->arg, op->status, NULL, 0);
        return;
    }
    reading->entries = NULL;
    reading->count = 0;
    reading->done(op->arg, 0, entries, count);
}

static void drop(struct storage_op *op)
{
    struct storage_reading *reading = storage_reading_of(op);

    entries_free(reading->entries, reading->count);
}

int storage_reading_push(struct storage_queue *queue,
                         int (*run)(void *storage, struct storage_op *op),
                         raft_index first, size_t limit,
                         raft_storage_entries_fn done, void *arg)
{
    struct storage_reading *reading;

    BASE_NEW(reading);
    reading->op = (struct storage_op){.kind = STORAGE_OP_OTHER,
                                      .run = run,
                                      .tell = tell,
                                      .drop = drop,
                                      .arg = arg};
    reading->first = first;
    reading->limit = limit;
    reading->done = done;
    return storage_queue_push(queue, &reading->op);
}

bool storage_reading_add(struct storage_reading *reading,
                         const struct raft_entry *entry)
{
    struct raft_entry *copy;

    if (reading->count == reading->cap) {
        reading->cap = reading->cap == 0 ? 64 : reading->cap * 2;
        reading->entries = base_reallocarray(
            reading->entries, reading->cap, sizeof(*reading->entries));
    }
    copy = &reading->entries[reading->count++];
    *copy = *entry;
    copy->data = raft_data_dup(entry->data, entry->len);
    reading->bytes += entry_packed_len(entry);
    return reading->bytes < reading->limit;
}
