/*
 * serf on one loop, its mirror on another. Every crossing is a small heap
 * object posted one way; nothing is shared but the pool itself, of which each
 * loop touches its own half.
 */
#include "server/pool.h"

#include <string.h>

#include "base/alloc.h"
#include "server/mail.h"

#define RESYNC_RETRY_MS 100u

struct pool {
    struct pool_config config;
    struct base_env *main;
    struct base_env *gossip;
    struct mailbox mail;

    /* gossip loop */
    struct gossip_serf *serf;
    bool resync; /* an event was lost: post the whole list */
    struct base_timer resync_timer;

    /* main loop */
    struct member **members; /* sorted by name */
    size_t count;
};

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

static void take_whole(struct crossing *crossing)
{
    struct pool *pool = crossing->pool;
    size_t i;

    mirror_clear(pool);
    for (i = 0; i < crossing->count; i++)
        mirror_put(pool, crossing->members[i]);
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

static void on_event(void *ctx, const struct gossip_event *event)
{
    struct pool *pool = ctx;

    if (event->kind == GOSSIP_EVENT_QUERY)
        return;
    if (pool->resync && event->kind != GOSSIP_EVENT_USER)
        return; /* the whole list will say it */
    if (crossing_send(cross(pool, event)))
        return;
    if (event->kind != GOSSIP_EVENT_USER) {
        pool->resync = true;
        base_timer_start_ms(&pool->resync_timer, RESYNC_RETRY_MS);
    }
}

/* ---- commands, main loop to gossip loop and back -------------------------- */

enum command_kind { COMMAND_JOIN, COMMAND_LEAVE, COMMAND_FORCE_LEAVE };

struct command {
    struct mail mail;
    struct pool *pool;
    enum command_kind kind;
    char **texts;
    size_t text_count;
    bool prune;
    int status;
    size_t joined;
    pool_join_fn on_join;
    pool_done_fn on_done;
    void *arg;
};

static void command_free(struct mail *mail)
{
    struct command *command = (struct command *)mail;
    size_t i;

    for (i = 0; i < command->text_count; i++)
        base_free(command->texts[i]);
    base_free(command->texts);
    base_free(command);
}

static void on_command_over(struct mail *mail)
{
    struct command *command = (struct command *)mail;

    mail_end(mail);
    if (command->on_join)
        command->on_join(command->arg, command->status, command->joined);
    else if (command->on_done)
        command->on_done(command->arg, command->status);
    command_free(mail);
}

/* Gossip loop: the result goes home. A full queue ends it unheard: whoever
 * asked has a deadline of its own. */
static void command_over(struct command *command, int status, size_t joined)
{
    command->status = status;
    command->joined = joined;
    if (mail_send(&command->mail, command->pool->main, on_command_over) == 0)
        return;
    mail_end(&command->mail);
    command_free(&command->mail);
}

static void on_joined(void *arg, int status, size_t joined)
{
    command_over(arg, status, joined);
}

static void on_done(void *arg, int status)
{
    command_over(arg, status, 0);
}

static void on_command(struct mail *mail)
{
    struct command *command = (struct command *)mail;
    struct pool *pool = command->pool;
    int rv = 0;

    switch (command->kind) {
    case COMMAND_JOIN:
        rv = gossip_serf_join(pool->serf,
                              (const char *const *)command->texts,
                              command->text_count, pool->config.default_port,
                              false, on_joined, command);
        break;
    case COMMAND_LEAVE:
        rv = gossip_serf_leave(pool->serf, on_done, command);
        break;
    case COMMAND_FORCE_LEAVE:
        rv = gossip_serf_force_leave(pool->serf, command->texts[0],
                                     command->prune, on_done, command);
        break;
    }
    if (rv != 0)
        command_over(command, rv, 0);
}

static struct command *command_new(struct pool *pool, enum command_kind kind,
                                   const char *const *texts, size_t count)
{
    struct command *command;
    size_t i;

    BASE_NEW(command);
    command->pool = pool;
    command->kind = kind;
    command->texts = base_calloc(count + 1, sizeof(char *));
    command->text_count = count;
    for (i = 0; i < count; i++)
        command->texts[i] = base_strdup(texts[i]);
    mail_open(&pool->mail, &command->mail, command_free);
    return command;
}

static int command_send(struct command *command)
{
    int rv = mail_send(&command->mail, command->pool->gossip, on_command);

    if (rv != 0) {
        mail_end(&command->mail);
        command_free(&command->mail);
    }
    return rv;
}

int pool_join(struct pool *pool, const char *const *targets, size_t count,
              pool_join_fn done, void *arg)
{
    struct command *command = command_new(pool, COMMAND_JOIN, targets, count);

    command->on_join = done;
    command->arg = arg;
    return command_send(command);
}

int pool_leave(struct pool *pool, pool_done_fn done, void *arg)
{
    struct command *command = command_new(pool, COMMAND_LEAVE, NULL, 0);

    command->on_done = done;
    command->arg = arg;
    return command_send(command);
}

int pool_force_leave(struct pool *pool, const char *name, bool prune,
                     pool_done_fn done, void *arg)
{
    struct command *command =
        command_new(pool, COMMAND_FORCE_LEAVE, &name, 1);

    command->prune = prune;
    command->on_done = done;
    command->arg = arg;
    return command_send(command);
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
    mirror_clear(pool);
    base_free(pool);
}

struct gossip_memberlist *pool_memberlist(struct pool *pool)
{
    return gossip_serf_memberlist(pool->serf);
}
