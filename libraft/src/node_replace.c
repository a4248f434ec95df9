/*
 * A restored state takes the place of the old one, on every server, where the
 * log says so: applying stops at the entry that ends a restore, the pieces are
 * read back from the log and given to the state machine, and applying goes on.
 * While a restore is open no snapshot is taken, so its pieces are all there.
 */
#include "base/alloc.h"
#include "crc32c.h"
#include "entry.h"
#include "node_internal.h"

/* ---- the end ---- */

static void finish(struct raft_node *node, int status)
{
    struct node_replacing *replacing = &node->replacing;

    replacing->active = false;
    node->track = (struct restore_track){0};
    node->applied = replacing->end;
    if (status == 0) {
        node->snapshot_wanted = true; /* so that the log may forget all that */
        base_counter_add(node->metrics.restored, 1);
    }
    base_log(&node->log, status == 0 ? BASE_LOG_WARN : BASE_LOG_ERROR,
             status == 0 ? "the state was replaced by a restored one"
                         : "a restored state was refused",
             kv_uint("index", replacing->end),
             kv_uint("bytes", replacing->offset),
             kv_str("error", status == 0 ? "" : raft_strerror(status)));
    base_env_trace(node->env, "raft", "%s restored index=%llu", node->id,
                   (unsigned long long)replacing->end);
    reading_forget(node);
    replacing->tell = true;
    replacing->status = status;
    node_wake(node);
}

static void finish_state(struct raft_node *node)
{
    struct node_replacing *replacing = &node->replacing;
    const struct raft_fsm *fsm = &node->config.fsm;
    int rv;

    if (replacing->offset != replacing->len ||
        replacing->checksum != replacing->wanted) {
        fsm->ops->restore_end(fsm->ctx, false);
        finish(node, RAFT_ECORRUPT); /* the same bytes on every server */
        return;
    }
    rv = fsm->ops->restore_end(fsm->ctx, true);
    if (rv < 0)
        node_fail(node, RAFT_EFSM, "the state machine failed in a restore");
    else
        finish(node, rv == 0 ? 0 : RAFT_EREFUSED);
}

/* ---- the pieces ---- */

/* Nonzero: the state machine failed. */
static int take_entry(struct raft_node *node, const struct raft_entry *entry)
{
    struct node_replacing *replacing = &node->replacing;
    const struct raft_fsm *fsm = &node->config.fsm;
    struct restore_part part;

    replacing->next = entry->index + 1;
    if (entry->type != RAFT_ENTRY_RESTORE ||
        restore_part_unpack(entry, &part) < 0 || part.kind != RESTORE_PIECE ||
        part.id != node->track.id || part.offset != replacing->offset)
        return 0;
    replacing->offset += part.len;
    replacing->checksum = crc32c(replacing->checksum, part.data, part.len);
    return fsm->ops->restore_write(fsm->ctx, part.data, part.len);
}

static void failed(struct raft_node *node, int err, const char *why)
{
    const struct raft_fsm *fsm = &node->config.fsm;

    fsm->ops->restore_end(fsm->ctx, false);
    node_fail(node, err, why);
}

static void read_on(struct raft_node *node);

static void on_read(void *arg, int status, struct raft_entry *entries,
                    size_t count)
{
    struct raft_node *node = arg;
    struct node_replacing *replacing = &node->replacing;
    int rv = 0;
    size_t i;

    if (node->stopped) {
        entries_free(entries, count);
        return;
    }
    for (i = 0; rv == 0 && i < count && entries[i].index < replacing->end; i++)
        rv = take_entry(node, &entries[i]);
    entries_free(entries, count);
    if (status < 0)
        failed(node, status, "a restored state could not be read");
    else if (rv != 0)
        failed(node, RAFT_EFSM, "the state machine failed in a restore");
    else if (replacing->next >= replacing->end)
        finish_state(node);
    else
        read_on(node);
}

static void read_on(struct raft_node *node)
{
    struct raft_storage *storage = node->config.storage;
    int rv = storage->ops->read_entries(storage, node->replacing.next,
                                        RAFT_SNAPSHOT_CHUNK_MAX, on_read,
                                        node);

    if (rv < 0)
        failed(node, rv, "the storage refused to be read");
}

/* A storage that cannot be read has everything in memory: some of it a turn. */
static void feed_from_memory(struct raft_node *node)
{
    struct node_replacing *replacing = &node->replacing;
    uint64_t begun = replacing->offset;
    int rv = 0;

    while (rv == 0 && replacing->next < replacing->end &&
           replacing->offset - begun < RAFT_SNAPSHOT_CHUNK_MAX)
        rv = take_entry(node, raft_entry_at(node->core, replacing->next));
    if (rv != 0)
        failed(node, RAFT_EFSM, "the state machine failed in a restore");
    else if (replacing->next >= replacing->end)
        finish_state(node);
    else
        node_wake(node);
}

void replace_go_on(struct raft_node *node)
{
    if (!reading_is_possible(node))
        feed_from_memory(node);
}

/* ---- entries as they are applied ---- */

static void start(struct raft_node *node, const struct raft_entry *end)
{
    const struct raft_fsm *fsm = &node->config.fsm;
    struct restore_part part = {0};

    restore_part_unpack(end, &part);
    node->replacing = (struct node_replacing){.active = true,
                                              .end = end->index,
                                              .term = end->term,
                                              .next = node->track.first,
                                              .len = part.offset,
                                              .wanted = part.checksum};
    if (fsm->ops->restore_begin == NULL ||
        fsm->ops->restore_begin(fsm->ctx) != 0) {
        node_fail(node, RAFT_EFSM, "the state machine cannot be restored");
        return;
    }
    if (fsm->ops->version >= 3 && fsm->ops->restore_as != NULL)
        fsm->ops->restore_as(fsm->ctx, end->index);
    if (reading_is_possible(node))
        read_on(node);
    else
        node_wake(node);
}

static bool is_end(const struct raft_entry *entry)
{
    struct restore_part part;

    return restore_part_unpack(entry, &part) == 0 && part.kind == RESTORE_END;
}

bool replace_take(struct raft_node *node, const struct raft_entry *entry)
{
    raft_index index = entry->index;
    raft_term term = entry->term;
    int status, rv;

    /* A snapshot from the leader is about to be all of the state. */
    if (snapshot_is_installing(node) && node->installing.last)
        return true;
    rv = restore_track_entry(&node->track, entry);
    if (rv < 0) {
        node_fail(node, RAFT_EFORMAT,
                  "the log has an entry of a newer version: upgrade");
        return true;
    }
    if (rv == 1) {
        start(node, entry);
        return true;
    }
    /* An end without its beginning: that was another leader's, in between. */
    status = is_end(entry) ? RAFT_ENOTLEADER : 0;
    node->applied = index;
    reading_forget(node);
    return apply_answer_restore(node, index, term, status);
}

bool replace_tell(struct raft_node *node)
{
    struct node_replacing *replacing = &node->replacing;

    if (!replacing->tell)
        return true;
    replacing->tell = false;
    return apply_answer_restore(node, replacing->end, replacing->term,
                                replacing->status);
}
