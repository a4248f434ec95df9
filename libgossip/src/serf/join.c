/*
 * Joining: each target's name is resolved, and each address that it has is
 * contacted. A few targets at a time, so that one that does not answer does not
 * hold up the rest; the addresses of one target one after the other.
 */
#include "serf/core.h"

#include "base/alloc.h"

#define JOINS_MAX 16u
#define LANES 4u

/* One target under way. */
struct lane {
    struct serf_join *join;
    bool busy;
    struct base_target target;
    struct base_addr addrs[BASE_RESOLVE_MAX];
    size_t addr_count;
    size_t addr_next;
};

struct serf_join {
    struct gossip_serf *serf; /* NULL once closed */
    struct serf_join *next;
    char **targets;
    size_t target_count;
    size_t target_next;
    uint16_t default_port;
    bool ignore_old;
    size_t joined;
    int last_error;
    size_t resolves; /* answers that the resolver still owes us */
    struct base_timer timer;
    gossip_join_fn done;
    void *arg;
    struct lane lanes[LANES];
};

static void free_join(struct serf_join *join)
{
    size_t i;

    for (i = 0; i < join->target_count; i++)
        base_free(join->targets[i]);
    base_free(join->targets);
    base_free(join);
}

static void unlink_join(struct serf_join *join)
{
    struct gossip_serf *serf = join->serf;
    struct serf_join **at = &serf->joins;

    while (*at != join)
        at = &(*at)->next;
    *at = join->next;
    serf->join_count--;
    if (join->ignore_old)
        serf->ignore_old_joins--;
    base_timer_stop(&join->timer);
    join->serf = NULL;
}

static void finish(struct serf_join *join)
{
    struct gossip_serf *serf = join->serf;
    gossip_join_fn done = join->done;
    void *arg = join->arg;
    size_t joined = join->joined;
    int status = joined > 0 ? 0 : join->last_error;

    unlink_join(join);
    free_join(join);
    if (joined > 0 && serf->state == GOSSIP_SERF_ALIVE)
        serf_broadcast_join(serf);
    if (done != NULL)
        done(arg, status, joined);
}

static void contact(struct lane *lane);

/* The lane's address was tried. */
static void on_contact(void *arg, int status)
{
    struct lane *lane = arg;
    struct serf_join *join = lane->join;

    if (status == 0)
        join->joined++;
    else
        join->last_error = status;
    contact(lane);
}

static void note_failure(struct lane *lane, int status)
{
    lane->join->last_error = status;
    base_log(&lane->join->serf->log, BASE_LOG_DEBUG, "join target failed",
             kv_str("host", lane->target.host),
             kv_str("error", gossip_strerror(status)));
}

/* Goes on to the next address, or leaves the lane to the next target. */
static void contact(struct lane *lane)
{
    struct serf_join *join = lane->join;

    while (lane->addr_next < lane->addr_count) {
        struct gossip_peer peer = {lane->target.name,
                                   lane->addrs[lane->addr_next++]};
        int rv;

        peer.addr.port = lane->target.port;
        rv = gossip_memberlist_join(join->serf->memberlist, &peer, on_contact,
                                    lane);
        if (rv == 0)
            return;
        note_failure(lane, rv);
    }
    lane->busy = false;
    base_timer_start_ns(&join->timer, 0);
}

static void on_resolved(void *arg, int status, const struct base_addr *addrs,
                        size_t count)
{
    struct lane *lane = arg;
    struct serf_join *join = lane->join;

    join->resolves--;
    if (join->serf == NULL) {
        if (join->resolves == 0)
            free_join(join);
        return;
    }
    if (status < 0)
        note_failure(lane, status);
    lane->addr_next = 0;
    lane->addr_count = count < BASE_RESOLVE_MAX ? count : BASE_RESOLVE_MAX;
    if (lane->addr_count > 0)
        memcpy(lane->addrs, addrs, lane->addr_count * sizeof(addrs[0]));
    contact(lane);
}

static void start_target(struct lane *lane, const char *text)
{
    struct serf_join *join = lane->join;
    int rv = base_target_parse(&lane->target, text, join->default_port);

    if (rv == 0)
        rv = base_env_resolve(join->serf->env, lane->target.host,
                              BASE_RESOLVE_HOST, on_resolved, lane);
    if (rv < 0) {
        note_failure(lane, rv);
        return;
    }
    lane->busy = true;
    join->resolves++;
}

/* Fills the lanes that are free; nothing left and none busy: done. */
static void on_turn(void *arg)
{
    struct serf_join *join = arg;
    bool busy = false;
    size_t i;

    for (i = 0; i < LANES; i++) {
        struct lane *lane = &join->lanes[i];

        while (!lane->busy && join->target_next < join->target_count)
            start_target(lane, join->targets[join->target_next++]);
        busy |= lane->busy;
    }
    if (!busy)
        finish(join);
}

int gossip_serf_join(struct gossip_serf *serf, const char *const *targets,
                     size_t count, uint16_t default_port, bool ignore_old,
                     gossip_join_fn done, void *arg)
{
    struct serf_join *join;
    size_t i;

    if (serf->state != GOSSIP_SERF_ALIVE)
        return GOSSIP_ESTATE;
    if (count == 0)
        return GOSSIP_EINVAL;
    if (serf->join_count >= JOINS_MAX)
        return GOSSIP_EBUSY;
    BASE_NEW(join);
    join->serf = serf;
    join->targets = base_calloc(count, sizeof(join->targets[0]));
    for (i = 0; i < count; i++)
        join->targets[i] = base_strdup(targets[i]);
    join->target_count = count;
    join->default_port = default_port;
    join->ignore_old = ignore_old;
    join->last_error = GOSSIP_EINVAL;
    join->done = done;
    join->arg = arg;
    for (i = 0; i < LANES; i++)
        join->lanes[i].join = join;
    join->next = serf->joins;
    serf->joins = join;
    serf->join_count++;
    if (ignore_old)
        serf->ignore_old_joins++;
    base_timer_init(&join->timer, serf->env, "serf-join", on_turn, join);
    base_timer_start_ns(&join->timer, 0);
    return 0;
}

/* memberlist is gone and owes nothing. Answers of the resolver find serf NULL,
 * and the last of them frees the join. */
void serf_joins_close(struct gossip_serf *serf)
{
    while (serf->joins != NULL) {
        struct serf_join *join = serf->joins;

        unlink_join(join);
        if (join->resolves == 0 || serf_env_has_ended(serf->env))
            free_join(join);
    }
}
