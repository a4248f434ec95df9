/*
 * The log in memory is bounded: what is applied may be forgotten there, oldest
 * first. A follower that lags so far gets its entries from the storage, a piece
 * at a time, beside everything else.
 */
#include "base/alloc.h"
#include "entry.h"
#include "node_internal.h"

struct node_reading {
    LIST_ENTRY(node_reading) link;
    struct raft_node *node;
    struct raft_entries_want want;
};

static void on_read(void *arg, int status, struct raft_entry *entries,
                    size_t count)
{
    struct node_reading *reading = arg;
    struct raft_node *node = reading->node;
    struct raft_event event = {.type = RAFT_EVENT_ENTRIES_READ};

    LIST_REMOVE(reading, link);
    if (status == 0)
        base_counter_add(node->metrics.entries_read, count);
    else
        base_log(&node->log, BASE_LOG_WARN, "old entries could not be read",
                 kv_uint("index", reading->want.first),
                 kv_str("error", raft_strerror(status)));
    event.u.read.want = &reading->want;
    event.u.read.entries = entries;
    event.u.read.count = count;
    node_step(node, &event);
    entries_free(entries, count);
    base_free(reading);
}

bool reading_is_possible(const struct raft_node *node)
{
    const struct raft_storage_ops *ops = node->config.storage->ops;

    return ops->version >= 2 && ops->read_entries != NULL;
}

void reading_start(struct raft_node *node,
                   const struct raft_entries_want *want)
{
    struct raft_storage *storage = node->config.storage;
    struct node_reading *reading;
    int rv;

    BASE_NEW(reading);
    reading->node = node;
    reading->want = *want;
    LIST_INSERT_HEAD(&node->readings, reading, link);
    rv = storage->ops->read_entries(storage, want->first, RAFT_READ_BYTES_MAX,
                                    on_read, reading);
    if (rv < 0) {
        LIST_REMOVE(reading, link);
        base_free(reading);
        node_fail(node, rv, "the storage refused to be read");
    }
}

void reading_forget(struct raft_node *node)
{
    if (reading_is_possible(node))
        raft_forget(node->core, node->applied, node->config.log_cache_bytes);
}

void reading_free(struct raft_node *node)
{
    struct node_reading *reading;

    while ((reading = LIST_FIRST(&node->readings)) != NULL) {
        LIST_REMOVE(reading, link);
        base_free(reading);
    }
}
