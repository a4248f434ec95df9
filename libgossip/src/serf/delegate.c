/*
 * Between memberlist and serf: what memberlist tells goes to the part that it
 * concerns, and messages are told apart by their type byte. Messages from us
 * to ourselves (the answer to our own query) take a way round the network,
 * through the loop.
 */
#include "serf/core.h"

#include "base/alloc.h"

#define LOCALS_MAX 1024u /* as many questions as can be open */

struct serf_local {
    struct serf_local *next;
    size_t len;
    uint8_t data[];
};

static void on_join(void *ctx, const struct gossip_node *node)
{
    serf_node_join(ctx, node);
}

static void on_leave(void *ctx, const struct gossip_node *node)
{
    serf_node_leave(ctx, node);
}

static void on_update(void *ctx, const struct gossip_node *node)
{
    serf_node_update(ctx, node);
}

static void on_conflict(void *ctx, const struct gossip_node *existing,
                        const struct gossip_node *other)
{
    serf_conflict(ctx, existing, other);
}

static void malformed(struct gossip_serf *serf, const char *what)
{
    serf_refuse(serf, serf->counters.malformed, what, "");
}

static bool take_intent(struct gossip_serf *serf, enum serf_message_type type,
                        const uint8_t *body, size_t len)
{
    struct serf_msg_intent msg;
    char name[GOSSIP_NAME_MAX + 1];

    if (serf_get_intent(&msg, body, len) < 0 ||
        !serf_name_copy(name, msg.node)) {
        malformed(serf, "intent");
        return false;
    }
    if (!serf_ltime_ok(msg.ltime)) {
        serf_refuse(serf, serf->counters.ltime, "intent", name);
        return false;
    }
    return type == SERF_JOIN
               ? serf_join_intent(serf, name, msg.ltime)
               : serf_leave_intent(serf, name, msg.ltime, msg.prune);
}

static bool take_event(struct gossip_serf *serf, const uint8_t *body,
                       size_t len)
{
    struct mp_scratch scratch = {NULL};
    struct serf_msg_event msg;
    bool again = false;

    if (serf_get_event(&msg, body, len, &scratch) == 0)
        again = serf_user_event(serf, &msg);
    else
        malformed(serf, "user event");
    mp_scratch_close(&scratch);
    return again;
}

static bool take_query(struct gossip_serf *serf, const uint8_t *body,
                       size_t len)
{
    struct mp_scratch scratch = {NULL};
    struct serf_msg_query msg;
    bool again = false;

    if (serf_get_query(&msg, body, len, &scratch) == 0)
        again = serf_query_in(serf, &msg);
    else
        malformed(serf, "query");
    mp_scratch_close(&scratch);
    return again;
}

static void take_response(struct gossip_serf *serf, const uint8_t *body,
                          size_t len)
{
    struct mp_scratch scratch = {NULL};
    struct serf_msg_response msg;

    if (serf_get_response(&msg, body, len, &scratch) == 0)
        serf_response_in(serf, &msg);
    else
        malformed(serf, "query response");
    mp_scratch_close(&scratch);
}

void serf_take_message(struct gossip_serf *serf, const uint8_t *data,
                       size_t len)
{
    struct gossip_broadcasts *queue = NULL;

    if (len == 0) {
        malformed(serf, "empty message");
        return;
    }
    switch (data[0]) {
    case SERF_LEAVE:
    case SERF_JOIN:
        if (take_intent(serf, (enum serf_message_type)data[0], data + 1,
                        len - 1))
            queue = serf->intent_queue;
        break;
    case SERF_USER_EVENT:
        if (take_event(serf, data + 1, len - 1))
            queue = serf->event_queue;
        break;
    case SERF_QUERY:
        if (take_query(serf, data + 1, len - 1))
            queue = serf->query_queue;
        break;
    case SERF_QUERY_RESPONSE:
        take_response(serf, data + 1, len - 1);
        break;
    case SERF_RELAY:
        serf_relay_in(serf, data + 1, len - 1);
        break;
    default:
        malformed(serf, "unknown type");
    }
    if (queue != NULL)
        serf_broadcast(serf, queue, NULL, data, len, NULL, NULL);
}

static void on_message(void *ctx, const void *data, size_t len)
{
    serf_take_message(ctx, data, len);
}

static void local_state(void *ctx, bool join, struct base_buf *out)
{
    (void)join;
    serf_local_state(ctx, out);
}

static void merge_state(void *ctx, const void *data, size_t len, bool join)
{
    serf_merge_state(ctx, data, len, join);
}

static int on_merge(void *ctx, const struct gossip_node *nodes, size_t count)
{
    struct gossip_serf *serf = ctx;
    struct serf_member_view *views;
    struct gossip_member *members;
    size_t i;
    int rv;

    views = base_calloc(count + 1, sizeof(views[0]));
    members = base_calloc(count + 1, sizeof(members[0]));
    for (i = 0; i < count; i++) {
        serf_member_view_of_node(&views[i], &nodes[i]);
        members[i] = views[i].member;
    }
    rv = serf->cfg.on_merge(serf->cfg.ctx, members, count);
    for (i = 0; i < count; i++)
        serf_member_view_close(&views[i]);
    base_free(members);
    base_free(views);
    return rv;
}

static int on_alive(void *ctx, const struct gossip_node *node)
{
    struct gossip_serf *serf = ctx;
    struct serf_member_view view;
    int rv;

    if (serf_is_self(serf, node->name))
        return 0;
    if (serf->cfg.validate_node_names && !serf_name_valid(node->name)) {
        serf_refuse(serf, serf->counters.malformed, "node name", node->name);
        return GOSSIP_ENAME;
    }
    if (serf->cfg.on_alive == NULL)
        return 0;
    serf_member_view_of_node(&view, node);
    rv = serf->cfg.on_alive(serf->cfg.ctx, &view.member);
    serf_member_view_close(&view);
    return rv;
}

static void ack_payload(void *ctx, struct base_buf *out)
{
    struct gossip_serf *serf = ctx;

    if (!serf->cfg.disable_coordinates)
        serf_coordinate_encode(out, &serf->coordinate.at);
}

static void on_ping_complete(void *ctx, const struct gossip_node *node,
                             uint64_t rtt_ns, const void *payload, size_t len)
{
    struct gossip_serf *serf = ctx;
    struct gossip_coordinate other;
    struct serf_member *member;

    if (serf->cfg.disable_coordinates || len == 0)
        return;
    member = serf_members_find(&serf->members, node->name);
    if (member == NULL)
        return;
    if (serf_coordinate_decode(&other, payload, len) < 0) {
        malformed(serf, "coordinate");
        return;
    }
    if (member->place == NULL)
        BASE_NEW(member->place);
    if (serf_coordinate_update(&serf->coordinate, member->place, &other,
                               rtt_ns) < 0)
        malformed(serf, "coordinate");
    if (!member->place->known) {
        base_free(member->place);
        member->place = NULL;
    }
}

const struct gossip_delegate serf_delegate = {
    .version = 1,
    .on_join = on_join,
    .on_leave = on_leave,
    .on_update = on_update,
    .on_conflict = on_conflict,
    .on_message = on_message,
    .broadcasts = serf_broadcasts_take,
    .broadcasts_sent = serf_broadcasts_sent,
    .local_state = local_state,
    .merge_state = merge_state,
    .on_merge = on_merge,
    .on_alive = on_alive,
    .ack_payload = ack_payload,
    .on_ping_complete = on_ping_complete,
};

static void on_local_turn(void *arg)
{
    struct gossip_serf *serf = arg;
    struct serf_local *local = serf->local_first;

    serf->local_first = local->next;
    serf->local_count--;
    if (serf->local_first == NULL)
        serf->local_tail = &serf->local_first;
    else
        base_timer_start_ns(&serf->local_timer, 0);
    serf_take_message(serf, local->data, local->len);
    base_free(local);
}

int serf_send(struct gossip_serf *serf, const struct gossip_peer *to,
              const void *data, size_t len)
{
    struct serf_local *local;

    if (!base_addr_equal(&to->addr, &serf->cfg.advertise) ||
        (to->name[0] != '\0' && !serf_is_self(serf, to->name)))
        return gossip_memberlist_send(serf->memberlist, to, data, len);
    if (serf->local_count >= LOCALS_MAX)
        return BASE_EFULL;
    local = base_alloc(sizeof(*local) + len);
    local->next = NULL;
    local->len = len;
    memcpy(local->data, data, len);
    *serf->local_tail = local;
    serf->local_tail = &local->next;
    serf->local_count++;
    base_timer_start_ns(&serf->local_timer, 0);
    return 0;
}

void serf_locals_init(struct gossip_serf *serf)
{
    serf->local_tail = &serf->local_first;
    base_timer_init(&serf->local_timer, serf->env, "serf-local", on_local_turn,
                    serf);
}

void serf_locals_close(struct gossip_serf *serf)
{
    base_timer_stop(&serf->local_timer);
    while (serf->local_first != NULL) {
        struct serf_local *local = serf->local_first;

        serf->local_first = local->next;
        base_free(local);
    }
}
