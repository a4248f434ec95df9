/*
 * From the core to the user: the snapshot takes its note, coalescers may hold
 * events back, and the rest waits in a bounded queue that the loop hands out in
 * small portions. So no callback comes inside the call that caused it, and a
 * join of ten thousand members does not hold the loop (gossip.md 3.11, 4.3).
 */
#include "serf/event.h"

#include "base/alloc.h"
#include "serf/snapshot.h"

#define EVENTS_MAX 2048u      /* user events and queries that wait */
#define MEMBER_EVENTS_EACH 4u /* that may wait, on average, a member */
#define PORTION 64u

struct serf_event_path {
    struct gossip_serf *serf;
    struct serf_event *first;
    struct serf_event **tail;
    size_t member_events;
    size_t other_events;
    uint64_t dropped;
    struct base_log_limit drop_limit;
    struct base_timer timer;
    struct serf_coalescer *members; /* NULL: not coalesced */
    struct serf_coalescer *users;
};

const char *gossip_event_kind_name(enum gossip_event_kind kind)
{
    static const char *const names[] = {
        "member-join", "member-leave", "member-failed", "member-update",
        "member-reap", "user",         "query"};

    return (size_t)kind < BASE_COUNT_OF(names) ? names[kind] : "unknown";
}

static bool is_member_kind(enum gossip_event_kind kind)
{
    return kind <= GOSSIP_EVENT_MEMBER_REAP;
}

struct serf_event *serf_event_new(const struct gossip_event *event)
{
    struct serf_event *copy = BASE_NEW(copy);

    copy->event = *event;
    copy->event.name = copy->name = base_strdup(event->name);
    copy->event.query_source = copy->query_source =
        base_strdup(event->query_source);
    if (event->payload_len > 0)
        copy->payload = base_memdup(event->payload, event->payload_len);
    copy->event.payload = copy->payload;
    return copy;
}

void serf_event_add_member(struct serf_event *event,
                           struct serf_member *member)
{
    if (event->member_count == event->member_cap) {
        event->member_cap = event->member_cap == 0 ? 1 : event->member_cap * 2;
        event->members = base_reallocarray(event->members, event->member_cap,
                                           sizeof(event->members[0]));
    }
    event->members[event->member_count++] = member;
}

void serf_event_free(struct serf_event *event)
{
    size_t i;

    for (i = 0; i < event->member_count; i++)
        serf_member_free(event->members[i]);
    base_free(event->members);
    base_free(event->name);
    base_free(event->query_source);
    base_free(event->payload);
    base_free(event);
}

static size_t *waiting(struct serf_event_path *path,
                       const struct serf_event *event)
{
    return is_member_kind(event->event.kind) ? &path->member_events
                                             : &path->other_events;
}

static size_t limit_of(struct serf_event_path *path,
                       const struct serf_event *event)
{
    if (!is_member_kind(event->event.kind))
        return EVENTS_MAX;
    return EVENTS_MAX +
           MEMBER_EVENTS_EACH * serf_members_count(&path->serf->members);
}

static void drop(struct serf_event_path *path, struct serf_event *event)
{
    struct gossip_serf *serf = path->serf;

    path->dropped++;
    base_counter_add(serf->counters.events_dropped, 1);
    if (base_log_limit_pass(&path->drop_limit, base_env_now_ns(serf->env)))
        base_log(&serf->log, BASE_LOG_WARN, "event dropped, queue is full",
                 kv_str("kind", gossip_event_kind_name(event->event.kind)),
                 kv_uint("dropped", path->dropped));
    serf_event_free(event);
}

void serf_event_path_push(struct serf_event_path *path,
                          struct serf_event *event)
{
    size_t *count = waiting(path, event);

    if (*count >= limit_of(path, event)) {
        drop(path, event);
        return;
    }
    (*count)++;
    event->next = NULL;
    *path->tail = event;
    path->tail = &event->next;
    if (!base_timer_is_running(&path->timer))
        base_timer_start_ns(&path->timer, 0);
}

static void show(struct gossip_serf *serf, struct serf_event *event)
{
    size_t count = event->member_count;
    struct serf_member_view *views;
    struct gossip_member *members;
    size_t i;

    if (serf->cfg.on_event == NULL)
        return;
    views = base_calloc(count + 1, sizeof(views[0]));
    members = base_calloc(count + 1, sizeof(members[0]));
    for (i = 0; i < count; i++) {
        serf_member_view_of(&views[i], event->members[i]);
        members[i] = views[i].member;
    }
    event->event.members = count > 0 ? members : NULL;
    event->event.member_count = count;
    serf->cfg.on_event(serf->cfg.ctx, &event->event);
    for (i = 0; i < count; i++)
        serf_member_view_close(&views[i]);
    base_free(members);
    base_free(views);
}

static void on_turn(void *arg)
{
    struct serf_event_path *path = arg;
    size_t portion = PORTION;

    while (path->first != NULL && portion > 0) {
        struct serf_event *event = path->first;
        size_t cost = event->member_count > 0 ? event->member_count : 1;

        path->first = event->next;
        if (path->first == NULL)
            path->tail = &path->first;
        (*waiting(path, event))--;
        portion -= cost < portion ? cost : portion;
        show(path->serf, event);
        serf_event_free(event);
    }
    if (path->first != NULL)
        base_timer_start_ns(&path->timer, 0);
}

struct serf_event_path *serf_event_path_new(struct gossip_serf *serf)
{
    const struct gossip_serf_config *cfg = &serf->cfg;
    struct serf_event_path *path = BASE_NEW(path);

    path->serf = serf;
    path->tail = &path->first;
    base_timer_init(&path->timer, serf->env, "serf-events", on_turn, path);
    if (cfg->coalesce_period_ms > 0)
        path->members =
            serf_coalescer_new(serf->env, true, cfg->coalesce_period_ms,
                               cfg->quiescent_period_ms, path);
    if (cfg->user_coalesce_period_ms > 0)
        path->users =
            serf_coalescer_new(serf->env, false, cfg->user_coalesce_period_ms,
                               cfg->user_quiescent_period_ms, path);
    return path;
}

void serf_event_path_free(struct serf_event_path *path)
{
    if (path == NULL)
        return;
    base_timer_stop(&path->timer);
    serf_coalescer_free(path->members);
    serf_coalescer_free(path->users);
    while (path->first != NULL) {
        struct serf_event *event = path->first;

        path->first = event->next;
        serf_event_free(event);
    }
    base_free(path);
}

void serf_emit_member(struct gossip_serf *serf, enum gossip_event_kind kind,
                      const struct serf_member *member)
{
    struct serf_event *event;

    serf_snapshot_member(serf->snapshot, kind, member);
    event = serf_event_new(&(struct gossip_event){.kind = kind});
    serf_event_add_member(event, serf_member_copy(member));
    if (serf->path->members != NULL)
        serf_coalescer_add(serf->path->members, event);
    else
        serf_event_path_push(serf->path, event);
}

void serf_emit(struct gossip_serf *serf, const struct gossip_event *event)
{
    struct serf_event *copy = serf_event_new(event);

    if (event->kind == GOSSIP_EVENT_USER && event->coalesce &&
        serf->path->users != NULL)
        serf_coalescer_add(serf->path->users, copy);
    else
        serf_event_path_push(serf->path, copy);
}

uint64_t serf_events_dropped(const struct gossip_serf *serf)
{
    return serf->path->dropped;
}
