/*
 * The serf part of a push/pull: clocks, status times, who left, recent events
 * (gossip.md 3.2, 3.4). A body is checked from end to end before any of it is
 * applied. What comes this way is not gossiped on: the other side has it too.
 */
#include "serf/core.h"

#include "base/alloc.h"

/* The keys of the body, each list where it starts in the input. */
struct body {
    uint64_t ltime;
    uint64_t event_ltime;
    uint64_t query_ltime;
    struct base_cursor left;
    struct base_cursor status;
    struct base_cursor events;
};

static void put_slot(struct base_buf *out, const struct serf_ring_slot *slot)
{
    const struct serf_ring_item *item;

    mp_put_map(out, 2);
    mp_put_text(out, "Events");
    mp_put_array(out, slot->item_count);
    for (item = slot->first; item != NULL; item = item->next) {
        const uint8_t *payload = item->bytes + item->name_len;

        mp_put_map(out, 2);
        mp_put_text(out, "Name");
        mp_put_str(out, mp_bytes_of(item->bytes, item->name_len));
        mp_put_text(out, "Payload");
        mp_put_bytes(out, mp_bytes_of(item->payload_len > 0 ? payload : NULL,
                                      item->payload_len));
    }
    mp_put_text(out, "LTime");
    mp_put_uint(out, slot->ltime);
}

/* Used slots only: peers take a list without the empty ones. */
static void put_events(struct base_buf *out, const struct serf_ring *ring)
{
    uint32_t used = 0;
    size_t i;

    for (i = 0; i < ring->slot_count; i++)
        used += ring->slots[i].first != NULL;
    mp_put_array(out, used);
    for (i = 0; i < ring->slot_count; i++)
        if (ring->slots[i].first != NULL)
            put_slot(out, &ring->slots[i]);
}

static void put_left(struct base_buf *out, const struct serf_members *members)
{
    size_t i;

    mp_put_array(out, (uint32_t)members->left_count);
    for (i = 0; i < serf_members_count(members); i++) {
        const struct serf_member *member = serf_members_at(members, i);

        if (member->status == GOSSIP_MEMBER_LEFT)
            mp_put_text(out, member->name);
    }
}

static void put_status(struct base_buf *out,
                       const struct serf_members *members)
{
    size_t i;

    mp_put_map(out, (uint32_t)serf_members_count(members));
    for (i = 0; i < serf_members_count(members); i++) {
        const struct serf_member *member = serf_members_at(members, i);

        mp_put_text(out, member->name);
        mp_put_uint(out, member->status_ltime);
    }
}

void serf_local_state(struct gossip_serf *serf, struct base_buf *out)
{
    base_buf_append_u8(out, SERF_PUSH_PULL);
    mp_put_map(out, 6);
    mp_put_text(out, "EventLTime");
    mp_put_uint(out, serf->event_clock.time);
    mp_put_text(out, "Events");
    put_events(out, &serf->events);
    mp_put_text(out, "LTime");
    mp_put_uint(out, serf->clock.time);
    mp_put_text(out, "LeftMembers");
    put_left(out, &serf->members);
    mp_put_text(out, "QueryLTime");
    mp_put_uint(out, serf->query_clock.time);
    mp_put_text(out, "StatusLTimes");
    put_status(out, &serf->members);
}

/* Each walk reads a list that starts at the cursor; with apply NULL it only
 * checks. */
typedef void (*apply_name_fn)(void *ctx, const char *name, uint64_t ltime);

static void walk_left(struct base_cursor in, apply_name_fn apply, void *ctx,
                      bool *failed)
{
    uint32_t count = mp_get_array(&in);
    char name[GOSSIP_NAME_MAX + 1];

    for (; count > 0 && !in.failed; count--) {
        struct mp_bytes text = mp_get_str(&in);

        if (apply != NULL && !in.failed && serf_name_copy(name, text))
            apply(ctx, name, 0);
    }
    *failed |= in.failed;
}

static void walk_status(struct base_cursor in, apply_name_fn apply, void *ctx,
                        bool *failed)
{
    uint32_t count = mp_get_map(&in);
    char name[GOSSIP_NAME_MAX + 1];

    for (; count > 0 && !in.failed; count--) {
        struct mp_bytes text = mp_get_key(&in);
        uint64_t ltime = mp_get_uint(&in, UINT64_MAX);

        if (apply != NULL && !in.failed && serf_name_copy(name, text))
            apply(ctx, name, ltime);
    }
    *failed |= in.failed;
}

static void walk_event(struct base_cursor *in, struct serf_msg_event *event,
                       struct gossip_serf *serf, struct mp_scratch *scratch)
{
    static const struct mp_field fields[] = {
        MP_FIELD(struct serf_msg_event, name, "Name", MP_STR),
        MP_FIELD(struct serf_msg_event, payload, "Payload", MP_BYTES),
    };

    event->name = mp_bytes_of("", 0);
    event->payload = mp_bytes_of(NULL, 0);
    if (mp_get_struct(in, fields, BASE_COUNT_OF(fields), event, scratch) &&
        serf != NULL)
        (void)serf_user_event(serf, event);
}

/* A slot: nil, or {Events, LTime}. The time may come after the list. */
static void walk_slot(struct base_cursor *in, struct gossip_serf *serf,
                      struct mp_scratch *scratch)
{
    struct serf_msg_event event = {.ltime = 0};
    struct base_cursor list = {NULL, NULL, false};
    uint32_t pairs = mp_get_map(in);
    uint32_t count;

    for (; pairs > 0 && !in->failed; pairs--) {
        struct mp_bytes key = mp_get_key(in);

        if (in->failed)
            return;
        if (mp_is(key, "LTime")) {
            event.ltime = mp_get_uint(in, UINT64_MAX);
            continue;
        }
        if (mp_is(key, "Events"))
            list = *in;
        mp_skip(in);
    }
    if (in->failed || list.at == NULL)
        return;
    for (count = mp_get_array(&list); count > 0 && !list.failed; count--)
        walk_event(&list, &event, serf, scratch);
    in->failed = list.failed;
}

static void walk_events(struct base_cursor in, struct gossip_serf *serf,
                        bool *failed)
{
    struct mp_scratch scratch = {NULL};
    uint32_t count = mp_get_array(&in);

    for (; count > 0 && !in.failed; count--)
        walk_slot(&in, serf, &scratch);
    *failed |= in.failed;
    mp_scratch_close(&scratch);
}

/* An absent list reads as an empty one. */
static struct base_cursor nil_cursor(void)
{
    static const uint8_t nil = 0xc0;

    return base_cursor_of(&nil, 1);
}

static bool read_body(struct body *body, const uint8_t *data, size_t len)
{
    struct base_cursor in = base_cursor_of(data, len);
    bool failed = false;
    uint32_t pairs = mp_get_map(&in);

    *body = (struct body){.left = nil_cursor(), .status = nil_cursor(),
                          .events = nil_cursor()};
    for (; pairs > 0 && !in.failed; pairs--) {
        struct mp_bytes key = mp_get_key(&in);
        struct base_cursor value = in;

        mp_skip(&in);
        if (in.failed)
            return false;
        if (mp_is(key, "LTime"))
            body->ltime = mp_get_uint(&value, UINT64_MAX);
        else if (mp_is(key, "EventLTime"))
            body->event_ltime = mp_get_uint(&value, UINT64_MAX);
        else if (mp_is(key, "QueryLTime"))
            body->query_ltime = mp_get_uint(&value, UINT64_MAX);
        else if (mp_is(key, "LeftMembers"))
            body->left = value;
        else if (mp_is(key, "StatusLTimes"))
            body->status = value;
        else if (mp_is(key, "Events"))
            body->events = value;
        failed |= value.failed;
    }
    walk_left(body->left, NULL, NULL, &failed);
    walk_status(body->status, NULL, NULL, &failed);
    walk_events(body->events, NULL, &failed);
    return !in.failed && !failed;
}

/* The other side's names that left, until their status time is met. */
struct merge {
    struct gossip_serf *serf;
    struct serf_name_table left;
};
struct left_name {
    struct serf_named named; /* first */
    bool applied;
    char name[];
};

static void note_left(void *ctx, const char *name, uint64_t ltime)
{
    struct merge *merge = ctx;
    size_t name_bytes = strlen(name) + 1;
    struct left_name *left;

    (void)ltime;
    if (serf_name_table_find(&merge->left, name) != NULL)
        return;
    left = base_calloc(1, sizeof(*left) + name_bytes);
    memcpy(left->name, name, name_bytes);
    left->named.name = left->name;
    serf_name_table_add(&merge->left, &left->named);
}

static void apply_status(void *ctx, const char *name, uint64_t ltime)
{
    struct merge *merge = ctx;
    struct left_name *left =
        (struct left_name *)(void *)serf_name_table_find(&merge->left, name);

    /* One more is added below: it must not pass the limit either. */
    if (!serf_ltime_ok(ltime + 1) || ltime == UINT64_MAX) {
        serf_refuse(merge->serf, merge->serf->counters.ltime, "status time",
                    name);
        return;
    }
    if (left == NULL) {
        (void)serf_join_intent(merge->serf, name, ltime);
    } else {
        left->applied = true;
        (void)serf_leave_intent(merge->serf, name, ltime + 1, false);
    }
}

static void apply_members(struct gossip_serf *serf, const struct body *body)
{
    struct merge merge = {.serf = serf};
    bool failed = false;
    size_t i;

    serf_name_table_init(&merge.left, base_env_random_u64(serf->env));
    walk_left(body->left, note_left, &merge, &failed);
    walk_status(body->status, apply_status, &merge, &failed);
    for (i = 0; i < merge.left.count; i++) {
        struct left_name *left =
            (struct left_name *)(void *)merge.left.all[i];

        if (!left->applied)
            (void)serf_leave_intent(serf, left->name, 1, false);
        base_free(left);
    }
    serf_name_table_close(&merge.left);
}

/* The time that a peer names is its next one, not used yet. */
static void witness_next(struct gossip_serf *serf, struct serf_lamport *clock,
                         uint64_t next)
{
    if (!serf_ltime_ok(next))
        serf_refuse(serf, serf->counters.ltime, "push/pull clock", "");
    else if (next > 0)
        serf_lamport_witness(clock, next - 1);
}

void serf_merge_state(struct gossip_serf *serf, const void *data, size_t len,
                      bool join)
{
    const uint8_t *bytes = data;
    struct body body;
    bool failed = false;

    if (len == 0 || bytes[0] != SERF_PUSH_PULL ||
        !read_body(&body, bytes + 1, len - 1)) {
        serf_refuse(serf, serf->counters.malformed, "push/pull body", "");
        return;
    }
    witness_next(serf, &serf->clock, body.ltime);
    witness_next(serf, &serf->event_clock, body.event_ltime);
    witness_next(serf, &serf->query_clock, body.query_ltime);
    apply_members(serf, &body);
    if (join && serf->ignore_old_joins > 0 &&
        serf_ltime_ok(body.event_ltime) &&
        body.event_ltime > serf->events.min_time)
        serf->events.min_time = body.event_ltime;
    walk_events(body.events, serf, &failed);
}
