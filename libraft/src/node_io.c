/*
 * Between the core and the world: what an update asks for is done here in its
 * order, and what comes from peers and from the storage becomes events.
 */
#include <assert.h>
#include <inttypes.h>
#include <string.h>

#include "base/alloc.h"
#include "configuration.h"
#include "node_internal.h"

/* ---- messages ---- */

const char *node_cluster_id(const struct raft_node *node)
{
    const char *known = raft_cluster_id(node->core);

    return known[0] != '\0' ? known : node->adopted_cluster;
}

static void trace_message(struct raft_node *node, const char *what,
                          const struct raft_message *m)
{
    if (node->env->ops->trace == NULL)
        return;
    switch (m->type) {
    case RAFT_MESSAGE_APPEND:
        base_env_trace(node->env, "raft",
                       "%s %s>%s append term=%" PRIu64 " prev=%" PRIu64
                       " entries=%zu commit=%" PRIu64,
                       what, m->from, m->to, m->term, m->u.append.prev_index,
                       m->u.append.entry_count, m->u.append.commit);
        break;
    case RAFT_MESSAGE_APPEND_REPLY:
        base_env_trace(node->env, "raft",
                       "%s %s>%s append-reply term=%" PRIu64 " %s%" PRIu64,
                       what, m->from, m->to, m->term,
                       m->u.append_reply.rejected ? "rejected conflict="
                                                  : "match=",
                       m->u.append_reply.rejected
                           ? m->u.append_reply.conflict_index
                           : m->u.append_reply.match);
        break;
    case RAFT_MESSAGE_VOTE_REQUEST:
        base_env_trace(node->env, "raft",
                       "%s %s>%s %svote-request term=%" PRIu64
                       " last=%" PRIu64 "/%" PRIu64,
                       what, m->from, m->to, m->u.vote.pre ? "pre-" : "",
                       m->term, m->u.vote.last_index, m->u.vote.last_term);
        break;
    case RAFT_MESSAGE_VOTE_REPLY:
        base_env_trace(node->env, "raft",
                       "%s %s>%s %svote-reply term=%" PRIu64 " %s", what,
                       m->from, m->to, m->u.vote_reply.pre ? "pre-" : "",
                       m->term,
                       m->u.vote_reply.granted ? "granted" : "refused");
        break;
    default:
        base_env_trace(node->env, "raft", "%s %s>%s %s term=%" PRIu64, what,
                       m->from, m->to, raft_message_type_name(m->type),
                       m->term);
    }
}

void node_send(struct raft_node *node, const struct raft_message *message)
{
    const struct raft_configuration *configuration =
        raft_current_configuration(node->core, NULL);
    const struct raft_server *to =
        raft_configuration_find(configuration, message->to);
    struct raft_server stranger;

    if (to == NULL) {
        /* One whom our log does not know (yet): its transport may. */
        memset(&stranger, 0, sizeof(stranger));
        memcpy(stranger.id, message->to, sizeof(stranger.id));
        to = &stranger;
    }
    base_buf_reset(&node->packed);
    raft_message_pack(message, node_cluster_id(node), &node->packed);
    trace_message(node, "send", message);
    base_counter_add(node->metrics.sent, 1);
    if (node->config.transport.ops->send(
            node->config.transport.ctx, to, base_buf_data(&node->packed),
            base_buf_len(&node->packed)) < 0)
        base_counter_add(node->metrics.dropped, 1);
    node->unflushed = true;
}

static void flush(struct raft_node *node)
{
    const struct raft_transport *transport = &node->config.transport;

    if (node->unflushed && transport->ops->version >= 2 &&
        transport->ops->flush != NULL)
        transport->ops->flush(transport->ctx);
    node->unflushed = false;
}

static void hold(struct raft_node *node, uint64_t after_id,
                 struct raft_message *message)
{
    struct held_message *held;

    BASE_NEW(held);
    held->after_id = after_id;
    held->message = *message;
    STAILQ_INSERT_TAIL(&node->held, held, next);
}

static void release_held(struct raft_node *node)
{
    struct held_message *held;

    while ((held = STAILQ_FIRST(&node->held)) != NULL &&
           held->after_id <= node->write_done) {
        STAILQ_REMOVE_HEAD(&node->held, next);
        node_send(node, &held->message);
        raft_message_close(&held->message);
        base_free(held);
    }
}

/* ---- writes ---- */

static void finish_waiter(struct waiter *waiter, int status)
{
    if (!waiter->active || waiter->finished)
        return;
    waiter->finished = true;
    waiter->status = status;
}

static void write_free(struct node_write *write)
{
    LIST_REMOVE(write, link);
    write->node->write_count--;
    raft_update_close(&write->update);
    base_free(write);
}

static void on_written(void *arg, int status)
{
    struct node_write *write = arg;
    struct raft_node *node = write->node;
    struct raft_event event = {.type = RAFT_EVENT_PERSISTED};

    if (node->stopped)
        return;
    if (status < 0) {
        /* No promise was made, so none is broken. Never retried: after a
         * failed sync nobody knows what the disk has. */
        node_fail(node, status, "a write to the log failed");
        return;
    }
    base_histogram_observe(node->metrics.write_us,
                           (base_env_now_ns(node->env) - write->since_ns) /
                               1000u);
    node->write_done = write->update.write_id;
    event.u.write_id = node->write_done;
    write_free(write);
    release_held(node);
    if (node->bootstrap.active && node->write_done >= node->bootstrap_write) {
        finish_waiter(&node->bootstrap, 0);
        node_wake(node);
    }
    node_step(node, &event);
}

static void submit_write(struct raft_node *node, struct raft_update *update)
{
    struct node_write *write;
    int rv;

    BASE_NEW(write);
    write->node = node;
    write->update = *update;
    memset(update, 0, sizeof(*update));
    write->since_ns = base_env_now_ns(node->env);
    write->write = (struct raft_write){
        .set_vote = write->update.set_vote,
        .term = write->update.term,
        .voted_for = write->update.voted_for,
        .truncate_from = write->update.truncate_from,
        .entries = write->update.entries,
        .entry_count = write->update.entry_count,
        .set_repair = write->update.set_repair,
        .repair_until = write->update.repair_until};
    LIST_INSERT_HEAD(&node->writes, write, link);
    node->write_count++;
    rv = node->config.storage->ops->write(node->config.storage, &write->write,
                                          on_written, write);
    if (rv < 0) {
        write_free(write);
        node_fail(node, rv, "the storage refused a write");
    }
}

void node_io_free(struct raft_node *node)
{
    struct held_message *held;

    while (!LIST_EMPTY(&node->writes))
        write_free(LIST_FIRST(&node->writes));
    while ((held = STAILQ_FIRST(&node->held)) != NULL) {
        STAILQ_REMOVE_HEAD(&node->held, next);
        raft_message_close(&held->message);
        base_free(held);
    }
    base_buf_close(&node->packed);
}

/* ---- updates ---- */

static void note_changes(struct raft_node *node,
                         const struct raft_update *update)
{
    size_t i;

    node->tell_state = node->tell_state || update->state_changed;
    node->tell_configuration =
        node->tell_configuration || update->configuration_changed;
    node->lost_leadership = node->lost_leadership || update->lost_leadership;
    if (update->change_done)
        finish_waiter(&node->change, update->change_status);
    if (update->transfer_done)
        finish_waiter(&node->transfer, update->transfer_status);
    if (update->read_count > 0)
        apply_reads_ready(node, update);
    for (i = 0; i < update->want_count; i++)
        snapshot_send_wanted(node, &update->wants[i]);
    for (i = 0; i < update->fetch_count; i++)
        reading_start(node, &update->fetches[i]);
}

/* Messages that promise something wait for what they promise. */
static void send_after(struct raft_node *node, struct raft_update *update)
{
    size_t i;

    for (i = 0; i < update->after_count; i++) {
        struct raft_message *message = &update->messages_after[i];

        if (update->after_id <= node->write_done) {
            node_send(node, message);
            raft_message_close(message);
        } else {
            hold(node, update->after_id, message);
        }
    }
    update->after_count = 0;
}

static void arm_tick(struct raft_node *node)
{
    uint64_t due = raft_deadline_ms(node->core);
    uint64_t now = node_now_ms(node);

    if (due == UINT64_MAX)
        return;
    /* A later deadline is found when the earlier one fires: most steps move
     * it, and a timer costs more than a look. */
    if (base_timer_is_running(&node->tick) && node->tick_due_ms <= due)
        return;
    node->tick_due_ms = due;
    base_timer_start_ms(&node->tick, due > now ? due - now : 0);
}

int node_step(struct raft_node *node, struct raft_event *event)
{
    struct raft_update update = {0};
    raft_index apply_before = raft_apply_index(node->core);
    size_t i;
    int rv;

    if (node->stopped)
        return RAFT_ESTOPPED;
    event->now_ms = node_now_ms(node);
    rv = raft_step(node->core, event, &update);
    for (i = 0; i < update.now_count; i++)
        node_send(node, &update.messages_now[i]);
    send_after(node, &update);
    flush(node); /* the followers' disks work while ours does */
    note_changes(node, &update);
    if (update.snapshot_chunk)
        snapshot_receive_chunk(node, event->u.message);
    if (update.write_id != 0)
        submit_write(node, &update);
    raft_update_close(&update);
    if (node->stopped)
        return rv;
    arm_tick(node);
    if (node->tell_state || node->tell_configuration ||
        node->lost_leadership || node->change.finished ||
        node->transfer.finished || raft_apply_index(node->core) != apply_before)
        node_wake(node);
    return rv;
}

/* ---- what comes in ---- */

static void refuse(struct raft_node *node, struct base_counter *counter,
                   const char *why, const struct raft_message *message)
{
    base_counter_add(counter, 1);
    if (base_log_limit_pass(&node->refused_limit,
                            base_env_now_ns(node->env)))
        base_log(&node->log, BASE_LOG_WARN, "refused a message",
                 kv_str("why", why),
                 kv_str("from", message != NULL ? message->from : ""),
                 kv_uint("term", message != NULL ? message->term : 0),
                 kv_uint("suppressed", node->refused_limit.suppressed));
}

/* A request may come from one whom our log does not know yet: the leader that
 * a change brought, or a candidate of a newer configuration (thesis 4.1:
 * servers handle requests without consulting theirs). An answer may not. */
static bool is_request(const struct raft_message *m)
{
    return m->type == RAFT_MESSAGE_APPEND ||
           m->type == RAFT_MESSAGE_SNAPSHOT ||
           m->type == RAFT_MESSAGE_VOTE_REQUEST;
}

/* Who is in no cluster yet listens to leaders only, and keeps to the first. */
static bool cluster_is_ours(struct raft_node *node, const char *cluster_id,
                            const struct raft_message *m)
{
    const char *ours = node_cluster_id(node);

    if (cluster_id[0] == '\0')
        return false;
    if (ours[0] != '\0')
        return strcmp(ours, cluster_id) == 0;
    if (m->type != RAFT_MESSAGE_APPEND && m->type != RAFT_MESSAGE_SNAPSHOT)
        return false;
    return text_copy(node->adopted_cluster, sizeof(node->adopted_cluster),
                     cluster_id);
}

static bool is_acceptable(struct raft_node *node, const char *cluster_id,
                          const struct raft_message *m)
{
    if (strcmp(m->to, node->id) != 0) {
        refuse(node, node->metrics.refused_to, "meant for another server", m);
        return false;
    }
    if (!cluster_is_ours(node, cluster_id, m)) {
        refuse(node, node->metrics.refused_cluster, "of another cluster", m);
        return false;
    }
    if (!is_request(m) && m->type != RAFT_MESSAGE_TIMEOUT_NOW &&
        raft_configuration_find(raft_current_configuration(node->core, NULL),
                                m->from) == NULL) {
        refuse(node, node->metrics.refused_unknown,
               "answer from an unknown server", m);
        return false;
    }
    return true;
}

void raft_node_receive(struct raft_node *node, const void *data, size_t len)
{
    char cluster_id[RAFT_ID_MAX];
    struct raft_message message;
    struct raft_event event = {.type = RAFT_EVENT_MESSAGE};
    int rv;

    if (!node->ready || node->stopped)
        return;
    rv = raft_message_unpack(data, len, &message, cluster_id);
    if (rv < 0) {
        refuse(node, node->metrics.refused_decode, raft_strerror(rv), NULL);
        return;
    }
    if (is_acceptable(node, cluster_id, &message)) {
        base_counter_add(node->metrics.received, 1);
        trace_message(node, "recv", &message);
        event.u.message = &message;
        if (node_step(node, &event) < 0)
            refuse(node, node->metrics.refused_state,
                   "no honest server says that", &message);
    }
    raft_message_close(&message);
}
