/*
 * Holding events back for a moment, so that a user who restarts half a pool
 * hears of it once: of members the latest kind, grouped by kind; of user events
 * of one name those of the highest Lamport time. What was flushed is forgotten;
 * the original delivers an update again at every later flush (gossip.md 3.11,
 * 9.28).
 */
#include "base/alloc.h"
#include "serf/event.h"

#define USER_EVENTS_MAX 2048u
#define KINDS (GOSSIP_EVENT_MEMBER_REAP + 1)

/* What is held for one name: member name, or name of the user event. */
struct held {
    struct serf_named named;  /* first */
    struct serf_event *first; /* waiting; a member has at most one */
    struct serf_event **tail;
    uint64_t ltime;           /* of the waiting user events */
    int last_kind;            /* of member events, delivered; -1: none */
    char name[];
};

struct serf_coalescer {
    struct serf_event_path *path;
    struct serf_name_table table;
    struct base_timer period;    /* the longest wait */
    struct base_timer quiescent; /* a pause ends it earlier */
    uint32_t period_ms;
    uint32_t quiescent_ms;
    size_t waiting;
    bool member;
};

static struct held *held_at(const struct serf_coalescer *coalescer, size_t i)
{
    return (struct held *)(void *)coalescer->table.all[i];
}

static struct held *held_of(struct serf_coalescer *coalescer, const char *name)
{
    struct held *held =
        (struct held *)(void *)serf_name_table_find(&coalescer->table, name);
    size_t name_bytes = strlen(name) + 1;

    if (held != NULL)
        return held;
    held = base_calloc(1, sizeof(*held) + name_bytes);
    memcpy(held->name, name, name_bytes);
    held->named.name = held->name;
    held->tail = &held->first;
    held->last_kind = -1;
    serf_name_table_add(&coalescer->table, &held->named);
    return held;
}

static void clear_held(struct serf_coalescer *coalescer, struct held *held)
{
    while (held->first != NULL) {
        struct serf_event *event = held->first;

        held->first = event->next;
        coalescer->waiting--;
        serf_event_free(event);
    }
    held->tail = &held->first;
}

static void forget(struct serf_coalescer *coalescer, struct held *held)
{
    clear_held(coalescer, held);
    serf_name_table_remove(&coalescer->table, &held->named);
    base_free(held);
}

/* Moves the member of a waiting event into the group of its kind. */
static void group(struct serf_event *groups[KINDS], struct held *held)
{
    enum gossip_event_kind kind = held->first->event.kind;

    held->last_kind = (int)kind;
    if (groups[kind] == NULL)
        groups[kind] = serf_event_new(&(struct gossip_event){.kind = kind});
    serf_event_add_member(groups[kind], held->first->members[0]);
    held->first->member_count = 0;
}

static void flush_members(struct serf_coalescer *coalescer)
{
    struct serf_event *groups[KINDS] = {NULL};
    size_t i = coalescer->table.count;

    while (i-- > 0) {
        struct held *held = held_at(coalescer, i);
        enum gossip_event_kind kind;

        if (held->first == NULL)
            continue;
        kind = held->first->event.kind;
        if (held->last_kind != (int)kind || kind == GOSSIP_EVENT_MEMBER_UPDATE)
            group(groups, held);
        clear_held(coalescer, held);
        if (kind == GOSSIP_EVENT_MEMBER_REAP)
            forget(coalescer, held);
    }
    for (i = 0; i < KINDS; i++)
        if (groups[i] != NULL)
            serf_event_path_push(coalescer->path, groups[i]);
}

static void flush_users(struct serf_coalescer *coalescer)
{
    while (coalescer->table.count > 0) {
        struct held *held = held_at(coalescer, 0);

        while (held->first != NULL) {
            struct serf_event *event = held->first;

            held->first = event->next;
            coalescer->waiting--;
            serf_event_path_push(coalescer->path, event);
        }
        forget(coalescer, held);
    }
}

static void on_flush(void *arg)
{
    struct serf_coalescer *coalescer = arg;

    base_timer_stop(&coalescer->period);
    base_timer_stop(&coalescer->quiescent);
    if (coalescer->member)
        flush_members(coalescer);
    else
        flush_users(coalescer);
}

struct serf_coalescer *serf_coalescer_new(struct base_env *env, bool member,
                                          uint32_t period_ms,
                                          uint32_t quiescent_ms,
                                          struct serf_event_path *path)
{
    struct serf_coalescer *coalescer = BASE_NEW(coalescer);

    coalescer->path = path;
    coalescer->member = member;
    coalescer->period_ms = period_ms;
    coalescer->quiescent_ms = quiescent_ms > 0 ? quiescent_ms : period_ms;
    serf_name_table_init(&coalescer->table, base_env_random_u64(env));
    base_timer_init(&coalescer->period, env, "serf-coalesce", on_flush,
                    coalescer);
    base_timer_init(&coalescer->quiescent, env, "serf-quiescent", on_flush,
                    coalescer);
    return coalescer;
}

void serf_coalescer_free(struct serf_coalescer *coalescer)
{
    if (coalescer == NULL)
        return;
    base_timer_stop(&coalescer->period);
    base_timer_stop(&coalescer->quiescent);
    while (coalescer->table.count > 0)
        forget(coalescer, held_at(coalescer, 0));
    serf_name_table_close(&coalescer->table);
    base_free(coalescer);
}

static void hold(struct serf_coalescer *coalescer, struct held *held,
                 struct serf_event *event)
{
    event->next = NULL;
    *held->tail = event;
    held->tail = &event->next;
    coalescer->waiting++;
}

static void hold_user(struct serf_coalescer *coalescer,
                      struct serf_event *event)
{
    struct held *held = held_of(coalescer, event->event.name);

    if (held->first != NULL && event->event.ltime < held->ltime) {
        serf_event_free(event);
        return;
    }
    if (event->event.ltime > held->ltime)
        clear_held(coalescer, held);
    held->ltime = event->event.ltime;
    hold(coalescer, held, event);
}

void serf_coalescer_add(struct serf_coalescer *coalescer,
                        struct serf_event *event)
{
    if (!base_timer_is_running(&coalescer->period))
        base_timer_start_ms(&coalescer->period, coalescer->period_ms);
    base_timer_start_ms(&coalescer->quiescent, coalescer->quiescent_ms);
    if (coalescer->member) {
        struct held *held = held_of(coalescer, event->members[0]->name);

        clear_held(coalescer, held);
        hold(coalescer, held, event);
        return;
    }
    hold_user(coalescer, event);
    if (coalescer->waiting >= USER_EVENTS_MAX)
        on_flush(coalescer); /* earlier than asked, rather than lost */
}
