/*
 * Snapshots on the move: pieces from the storage to a follower, pieces from
 * the leader into the storage, and from the storage into the state machine.
 * A window of pieces is in memory at most. The follower says which byte it
 * wants next, so a broken transfer goes on where it stopped.
 */
#include <string.h>

#include "base/alloc.h"
#include "node_internal.h"

/* ---- to a follower ---- */

struct node_sending {
    LIST_ENTRY(node_sending) link;
    struct raft_node *node;
    struct raft_snapshot_want want;
    struct snapshot_about about;
};

static void on_piece_read(void *arg, int status, const void *data, size_t len,
                          bool last)
{
    struct node_sending *sending = arg;
    struct raft_node *node = sending->node;
    struct raft_message message = {.type = RAFT_MESSAGE_SNAPSHOT};

    LIST_REMOVE(sending, link);
    if (status == 0 && !node->stopped &&
        raft_role(node->core) == RAFT_LEADER &&
        raft_current_term(node->core) == sending->want.term) {
        message.term = sending->want.term;
        memcpy(message.from, node->id, sizeof(message.from));
        memcpy(message.to, sending->want.to, sizeof(message.to));
        message.u.snapshot.index = sending->about.index;
        message.u.snapshot.term = sending->about.term;
        message.u.snapshot.configuration_index =
            sending->about.configuration_index;
        message.u.snapshot.configuration = &sending->about.configuration;
        message.u.snapshot.offset = sending->want.offset;
        message.u.snapshot.data = (void *)data;
        message.u.snapshot.len = len;
        message.u.snapshot.last = last;
        message.u.snapshot.round = sending->want.round;
        base_counter_add(node->metrics.snapshot_chunks_sent, 1);
        node_send(node, &message);
    }
    base_free(sending);
}

void snapshot_send_wanted(struct raft_node *node,
                          const struct raft_snapshot_want *want)
{
    struct raft_storage *storage = node->config.storage;
    struct node_sending *sending;

    if (node->newest.index == 0)
        return;
    BASE_NEW(sending);
    sending->node = node;
    sending->want = *want;
    sending->about = node->newest;
    LIST_INSERT_HEAD(&node->sendings, sending, link);
    if (storage->ops->snapshot_read(storage, node->newest.index, want->offset,
                                    RAFT_SNAPSHOT_CHUNK_MAX, on_piece_read,
                                    sending) < 0) {
        LIST_REMOVE(sending, link);
        base_free(sending);
    }
}

/* ---- from the leader ---- */

static void reply(struct raft_node *node, bool done)
{
    const struct node_installing *installing = &node->installing;
    struct raft_message message = {.type = RAFT_MESSAGE_SNAPSHOT_REPLY};

    message.term = raft_current_term(node->core);
    memcpy(message.from, node->id, sizeof(message.from));
    memcpy(message.to, installing->leader, sizeof(message.to));
    message.u.snapshot_reply.index = installing->about.index;
    message.u.snapshot_reply.offset = installing->stored;
    message.u.snapshot_reply.done = done;
    message.u.snapshot_reply.round = installing->round;
    node_send(node, &message);
}

static void on_installed(void *arg, int status)
{
    struct raft_node *node = arg;
    struct node_installing *installing = &node->installing;
    struct raft_event event = {.type = RAFT_EVENT_SNAPSHOT_INSTALLED};
    bool needed;

    installing->active = false;
    if (node->stopped)
        return;
    if (status < 0) {
        node_fail(node, status, "a snapshot could not be installed");
        return;
    }
    needed = installing->about.index > raft_commit_index(node->core);
    node->newest = installing->about;
    event.u.snapshot.index = installing->about.index;
    event.u.snapshot.term = installing->about.term;
    event.u.snapshot.configuration_index =
        installing->about.configuration_index;
    event.u.snapshot.configuration = &installing->about.configuration;
    base_counter_add(node->metrics.snapshots_installed, 1);
    base_log(&node->log, BASE_LOG_INFO, "snapshot installed",
             kv_uint("index", installing->about.index));
    base_env_trace(node->env, "raft", "%s snapshot installed index=%llu",
                   node->id, (unsigned long long)installing->about.index);
    if (needed)
        snapshot_restore(node);
    node_step(node, &event);
    reply(node, true);
    node_wake(node);
}

static void on_chunk_stored(void *arg, int status)
{
    struct raft_node *node = arg;
    struct node_installing *installing = &node->installing;
    struct raft_storage *storage = node->config.storage;
    int rv;

    if (node->stopped)
        return;
    if (status < 0) {
        node_fail(node, status, "a piece of a snapshot could not be stored");
        return;
    }
    installing->stored += installing->lens[installing->first];
    installing->first = (installing->first + 1) % RAFT_SNAPSHOT_WINDOW;
    installing->pending--;
    if (!installing->last || installing->pending > 0) {
        reply(node, false);
        return;
    }
    rv = storage->ops->snapshot_finish(storage, installing->about.index,
                                       on_installed, node);
    if (rv < 0)
        node_fail(node, rv, "the storage refused a snapshot");
}

static bool begin_installing(struct raft_node *node,
                             const struct raft_message *message)
{
    struct node_installing *installing = &node->installing;
    struct raft_storage *storage = node->config.storage;

    memset(installing, 0, sizeof(*installing));
    installing->about.index = message->u.snapshot.index;
    installing->about.term = message->u.snapshot.term;
    installing->about.configuration_index =
        message->u.snapshot.configuration_index;
    installing->about.configuration = *message->u.snapshot.configuration;
    if (storage->ops->snapshot_begin == NULL ||
        storage->ops->snapshot_begin(
            storage, installing->about.index, installing->about.term,
            &installing->about.configuration,
            installing->about.configuration_index) < 0)
        return false;
    installing->active = true;
    return true;
}

static void store_chunk(struct raft_node *node,
                        const struct raft_message *message)
{
    struct node_installing *installing = &node->installing;
    struct raft_storage *storage = node->config.storage;
    unsigned at =
        (installing->first + installing->pending) % RAFT_SNAPSHOT_WINDOW;
    int rv;

    installing->last = message->u.snapshot.last;
    installing->lens[at] = message->u.snapshot.len;
    installing->offset += message->u.snapshot.len;
    installing->pending++;
    rv = storage->ops->snapshot_append(storage, message->u.snapshot.data,
                                       message->u.snapshot.len,
                                       on_chunk_stored, node);
    if (rv < 0)
        node_fail(node, rv, "the storage refused a piece of a snapshot");
}

void snapshot_receive_chunk(struct raft_node *node,
                            const struct raft_message *message)
{
    struct node_installing *installing = &node->installing;

    /* Our own snapshot, or the last one installed, is still on its way: the
     * leader asks again. */
    if (node->taking != NULL || node->restoring.active ||
        node->replacing.active ||
        (installing->active && installing->last))
        return;
    if (!installing->active ||
        installing->about.index != message->u.snapshot.index ||
        installing->about.term != message->u.snapshot.term) {
        if (installing->pending > 0 || !begin_installing(node, message))
            return;
    }
    memcpy(installing->leader, message->from, sizeof(installing->leader));
    installing->round = message->u.snapshot.round;
    if (message->u.snapshot.offset == installing->offset &&
        installing->pending < RAFT_SNAPSHOT_WINDOW)
        store_chunk(node, message);
    else if (installing->pending == 0)
        reply(node, false); /* this is the byte we want */
}

bool snapshot_is_installing(struct raft_node *node)
{
    struct node_installing *installing = &node->installing;

    /* Appends were faster, or its leader is gone: who began it may never end
     * it. */
    if (installing->pending == 0 && !installing->last &&
        installing->about.index <= raft_commit_index(node->core))
        installing->active = false;
    return installing->active;
}

/* ---- into the state machine ---- */

static void restore_piece(struct raft_node *node);

static void restore_failed(struct raft_node *node, int err)
{
    node->config.fsm.ops->restore_end(node->config.fsm.ctx, false);
    node_fail(node, err, "a snapshot could not be restored");
}

static void on_restore_read(void *arg, int status, const void *data,
                            size_t len, bool last)
{
    struct raft_node *node = arg;
    const struct raft_fsm *fsm = &node->config.fsm;

    if (node->stopped)
        return;
    if (status < 0) {
        restore_failed(node, status);
        return;
    }
    if (fsm->ops->restore_write(fsm->ctx, data, len) != 0) {
        restore_failed(node, RAFT_EFSM);
        return;
    }
    node->restoring.offset += len;
    if (!last) {
        restore_piece(node);
        return;
    }
    node->restoring.active = false;
    if (fsm->ops->restore_end(fsm->ctx, true) != 0) {
        node_fail(node, RAFT_EFSM, "the state machine refused a snapshot");
        return;
    }
    if (node->applied < node->restoring.about.index)
        node->applied = node->restoring.about.index;
    node->track = (struct restore_track){0}; /* none is open at a snapshot */
    node_wake(node);
}

static void restore_piece(struct raft_node *node)
{
    struct raft_storage *storage = node->config.storage;
    int rv = storage->ops->snapshot_read(
        storage, node->restoring.about.index, node->restoring.offset,
        RAFT_SNAPSHOT_CHUNK_MAX, on_restore_read, node);

    if (rv < 0)
        restore_failed(node, rv);
}

void snapshot_restore(struct raft_node *node)
{
    const struct raft_fsm *fsm = &node->config.fsm;

    node->restoring.active = true;
    node->restoring.about = node->newest;
    node->restoring.offset = 0;
    if (fsm->ops->restore_begin == NULL ||
        fsm->ops->restore_begin(fsm->ctx) != 0) {
        node_fail(node, RAFT_EFSM, "the state machine cannot be restored");
        return;
    }
    restore_piece(node);
}

void snapshot_free(struct raft_node *node)
{
    struct node_sending *sending;

    while ((sending = LIST_FIRST(&node->sendings)) != NULL) {
        LIST_REMOVE(sending, link);
        base_free(sending);
    }
}
