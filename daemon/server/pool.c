/*
 * serf on one loop, its mirror on another. Every crossing is a small heap
 * object posted one way; nothing is shared but the pool itself, of which each
 * loop touches its own half.
 */
#include "server/pool.h"

#include <string.h>

#include "base/alloc.h"
#include "gossip/error.h"
#include "server/pool_private.h"

#define RESYNC_RETRY_MS 100u

/* ---- the mirror (main loop) ----------------------------------------------- */

static size_t place(const struct pool *pool, const char *name, bool *found)
{
    size_t low = 0, high = pool->count;

    while (low < high) {
        size_t middle = low + (high - low) / 2;

        if (strcmp(pool->members[middle]->name, name) < 0)
            low = middle + 1;
        else
            high = middle;
    }
    *found = low < pool->count && strcmp(pool->members[low]->name, name) == 0;
    return low;
}

/* Takes member over. */
static void mirror_put(struct pool *pool, struct member *member)
{
    bool found;
    size_t at = place(pool, member->name, &found);

    if (found) {
        member_free(pool->members[at]);
    } else {
        pool->members = base_reallocarray(pool->members, pool->count + 1,
                                          sizeof(struct member *));
        memmove(pool->members + at + 1, pool->members + at,
                (pool->count - at) * sizeof(struct member *));
        pool->count++;
    }
    pool->members[at] = member;
}

static void mirror_remove(struct pool *pool, const char *name)
{
    bool found;
    size_t at = place(pool, name, &found);

    if (!found)
        return;
    member_free(pool->members[at]);
    pool->count--;
    memmove(pool->members + at, pool->members + at + 1,
            (pool->count - at) * sizeof(struct member *));
}

static void mirror_clear(struct pool *pool)
{
    while (pool->count > 0)
        member_free(pool->members[--pool->count]);
    base_free(pool->members);
    pool->members = NULL;
}

const struct member *const *pool_members(const struct pool *pool, size_t *count)
{
    *count = pool->count;
    return (const struct member *const *)pool->members;
}

const struct member *pool_find(const struct pool *pool, const char *name)
{
    bool found;
    size_t at = place(pool, name, &found);

    return found ? pool->members[at] : NULL;
}

static void tell(struct pool *pool, enum gossip_event_kind kind,
                 const struct member *member)
{
    if (pool->config.on_member)
        pool->config.on_member(pool->config.ctx, kind, member);
}

/* ---- events, gossip loop to main loop ------------------------------------- */

/* One posted event: members, or a user event's name and payload. */
struct crossing {
    struct mail mail;
    struct pool *pool;
    enum gossip_event_kind kind;
    bool whole; /* the members are the complete list */
    size_t count;
    struct member **members;
    char *name;
    void *payload;
    size_t payload_len;
    uint64_t ltime;
};

static void crossing_free(struct crossing *crossing)
{
    base_free(crossing->members);
    base_free(crossing->name);
    base_free(crossing->payload);
    base_free(crossing);
}

/* The event that brings the mirror from one status to another. */
static enum gossip_event_kind kind_of(const struct member *member)
{
    switch (member->status) {
    case GOSSIP_MEMBER_FAILED:
        return GOSSIP_EVENT_MEMBER_FAILED;
    case GOSSIP_MEMBER_LEFT:
        return GOSSIP_EVENT_MEMBER_LEAVE;
    default:
        return GOSSIP_EVENT_MEMBER_UPDATE;
    }
}

/* The complete list replaces the mirror; who is on it no longer was reaped. */
static void take_whole(struct crossing *crossing)
{
    struct pool *pool = crossing->pool;
    struct member **before = pool->members;
    size_t count = pool->count, i;

    pool->members = NULL;
    pool->count = 0;
    for (i = 0; i < crossing->count; i++)
        mirror_put(pool, crossing->members[i]);
    for (i = 0; i < count; i++) {
        if (pool_find(pool, before[i]->name) == NULL)
            tell(pool, GOSSIP_EVENT_MEMBER_REAP, before[i]);
        member_free(before[i]);
    }
    base_free(before);
    for (i = 0; i < pool->count; i++)
        tell(pool, kind_of(pool->members[i]), pool->members[i]);
}

static void take_members(struct crossing *crossing)
{
    struct pool *pool = crossing->pool;
    size_t i;

    for (i = 0; i < crossing->count; i++) {
        struct member *member = crossing->members[i];

        if (crossing->kind == GOSSIP_EVENT_MEMBER_REAP) {
            tell(pool, crossing->kind, member);
            mirror_remove(pool, member->name);
            member_free(member);
        } else {
            mirror_put(pool, member);
            tell(pool, crossing->kind, member);
        }
    }
}

static void on_crossing(struct mail *mail)
{
    struct crossing *crossing = (struct crossing *)mail;
    struct pool *pool = crossing->pool;

    mail_end(mail);
    if (crossing->kind == GOSSIP_EVENT_USER) {
        struct gossip_event event = {.kind = GOSSIP_EVENT_USER,
                                     .name = crossing->name,
                                     .payload = crossing->payload,
                                     .payload_len = crossing->payload_len,
                                     .ltime = crossing->ltime};

        if (pool->config.on_user)
            pool->config.on_user(pool->config.ctx, &event);
    } else if (crossing->whole) {
        take_whole(crossing);
    } else {
        take_members(crossing);
    }
    crossing_free(crossing);
}

static void drop_crossing(struct mail *mail)
{
    struct crossing *crossing = (struct crossing *)mail;
    size_t i;

    for (i = 0; i < crossing->count; i++)
        member_free(crossing->members[i]);
    crossing_free(crossing);
}

static struct crossing *crossing_new(struct pool *pool,
                                     enum gossip_event_kind kind)
{
    struct crossing *crossing;

    BASE_NEW(crossing);
    crossing->pool = pool;
    crossing->kind = kind;
    mail_open(&pool->mail, &crossing->mail, drop_crossing);
    return crossing;
}

/* True if it is on its way; else it is gone. */
static bool crossing_send(struct crossing *crossing)
{
    if (mail_send(&crossing->mail, crossing->pool->main, on_crossing) == 0)
        return true;
    mail_end(&crossing->mail);
    drop_crossing(&crossing->mail);
    return false;
}

static void collect(void *arg, const struct gossip_member *member)
{
    struct crossing *crossing = arg;

    crossing->members[crossing->count++] = member_copy(member);
}

/* Gossip loop: the whole list, since some event did not get across. */
static void on_resync(void *arg)
{
    struct pool *pool = arg;
    struct crossing *crossing =
        crossing_new(pool, GOSSIP_EVENT_MEMBER_UPDATE);

    crossing->whole = true;
    crossing->members = base_calloc(gossip_serf_member_count(pool->serf) + 1,
                                    sizeof(struct member *));
    gossip_serf_each_member(pool->serf, collect, crossing);
    if (crossing_send(crossing))
        pool->resync = false;
    else
        base_timer_start_ms(&pool->resync_timer, RESYNC_RETRY_MS);
}

static struct crossing *cross(struct pool *pool,
                              const struct gossip_event *event)
{
    struct crossing *crossing = crossing_new(pool, event->kind);
    size_t i;

    if (event->kind == GOSSIP_EVENT_USER) {
        crossing->name = base_strdup(event->name);
        crossing->payload = base_memdup(event->payload, event->payload_len);
        crossing->payload_len = event->payload_len;
        crossing->ltime = event->ltime;
        return crossing;
    }
    crossing->members =
        base_calloc(event->member_count + 1, sizeof(struct member *));
    for (i = 0; i < event->member_count; i++)
        crossing->members[i] = member_copy(&event->members[i]);
    crossing->count = event->member_count;
    return crossing;
}

static void tell_arrivals(struct pool *pool, const struct gossip_event *event)
{
    size_t i;

    if (event->kind != GOSSIP_EVENT_MEMBER_JOIN ||
        pool->config.on_arrival == NULL)
        return;
    for (i = 0; i < event->member_count; i++)
        pool->config.on_arrival(pool->config.ctx, event->members[i].name);
}

static void on_event(void *ctx, const struct gossip_event *event)
{
    struct pool *pool = ctx;

    tell_arrivals(pool, event);
    if (event->kind == GOSSIP_EVENT_QUERY) {
        pool_answer(pool, event);
        return;
    }
    if (pool->resync && event->kind != GOSSIP_EVENT_USER)
        return; /* the whole list will say it */
    if (crossing_send(cross(pool, event)))
        return;
    if (event->kind != GOSSIP_EVENT_USER) {
        pool->resync = true;
        base_timer_start_ms(&pool->resync_timer, RESYNC_RETRY_MS);
    }
}

/* ---- who may come in (gossip loop) ---------------------------------------- */

static int on_alive(void *ctx, const struct gossip_member *member)
{
    struct pool *pool = ctx;

    return merge_check(&pool->config.rules, member);
}

static int on_merge(void *ctx, const struct gossip_member *members,
                    size_t count)
{
    size_t i;

    for (i = 0; i < count; i++)
        if (on_alive(ctx, &members[i]) != 0)
            return GOSSIP_EREFUSED;
    return 0;
}

/* ---- life ----------------------------------------------------------------- */

int pool_new(const struct pool_config *config, struct pool **out)
{
    struct pool *pool;
    int rv;

    BASE_NEW(pool);
    pool->config = *config;
    pool->main = config->main;
    pool->gossip = config->gossip;
    pool->build = base_strdup(config->build ? config->build : "");
    pool->config.serf.on_event = on_event;
    pool->config.serf.on_merge = on_merge;
    pool->config.serf.on_alive = on_alive;
    pool->config.serf.ctx = pool;
    mailbox_init(&pool->mail);
    base_timer_init(&pool->resync_timer, pool->gossip, "resync", on_resync,
                    pool);
    rv = gossip_serf_new(pool->gossip, &pool->config.serf, &pool->serf);
    if (rv != 0) {
        mailbox_close(&pool->mail);
        base_free(pool->build);
        base_free(pool);
        return rv;
    }
    *out = pool;
    return 0;
}

void pool_free(struct pool *pool)
{
    if (pool == NULL)
        return;
    base_timer_stop(&pool->resync_timer);
    gossip_serf_free(pool->serf);
    mailbox_close(&pool->mail);
    pool_queries_close(pool);
    mirror_clear(pool);
    base_free(pool->build);
    base_free(pool);
}

struct gossip_memberlist *pool_memberlist(struct pool *pool)
{
    return gossip_serf_memberlist(pool->serf);
}
