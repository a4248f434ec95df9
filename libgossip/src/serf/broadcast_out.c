/*
 * The three queues of what we gossip, taken from in the order intents, queries,
 * events (gossip.md 3.1), and waiting until a message has left.
 */
#include "serf/core.h"

#include "base/alloc.h"

/* One message that somebody waits for. It lives until the queue has let go of
 * it, even if the waiting ended before. */
struct serf_wait {
    struct gossip_serf *serf;
    struct serf_wait *next;
    struct base_timer timer;
    gossip_done_fn done; /* NULL once told */
    void *arg;
    bool queued; /* on_sent() will come */
    bool sent;
};

static size_t depth_limit(const struct gossip_serf *serf)
{
    size_t twice = 2 * serf_members_count(&serf->members);

    if (serf->cfg.queue_depth_min == 0)
        return serf->cfg.queue_depth_max;
    return twice > serf->cfg.queue_depth_min ? twice
                                             : serf->cfg.queue_depth_min;
}

static void prune_queue(struct gossip_serf *serf,
                        struct gossip_broadcasts *queue, size_t limit)
{
    size_t count = gossip_broadcasts_count(queue);

    if (count <= limit)
        return;
    base_counter_add(serf->counters.pruned, count - limit);
    gossip_broadcasts_prune(queue, limit);
}

bool serf_broadcast(struct gossip_serf *serf, struct gossip_broadcasts *queue,
                    const char *name, const void *data, size_t len,
                    gossip_broadcast_done_fn done, void *arg)
{
    /* What never fits a packet would stay queued for ever (gossip.md 6.4). */
    if (len > gossip_memberlist_message_bytes_max(serf->memberlist)) {
        serf_refuse(serf, serf->counters.too_big, "broadcast",
                    "larger than a packet");
        return false;
    }
    gossip_broadcasts_add(queue, name, data, len, done, arg);
    /* The check by time alone would let a flood grow in between. */
    prune_queue(serf, queue, 2 * depth_limit(serf));
    return true;
}

void serf_broadcasts_sent(void *ctx, bool sent)
{
    struct gossip_serf *serf = ctx;

    gossip_broadcasts_sent(serf->intent_queue, sent);
    gossip_broadcasts_sent(serf->query_queue, sent);
    gossip_broadcasts_sent(serf->event_queue, sent);
}

size_t serf_broadcasts_take(void *ctx, size_t overhead, size_t limit,
                            void (*emit)(void *arg, const void *data,
                                         size_t len),
                            void *arg)
{
    struct gossip_serf *serf = ctx;
    struct gossip_broadcasts *const queues[] = {
        serf->intent_queue, serf->query_queue, serf->event_queue};
    size_t used = 0;
    size_t i;

    for (i = 0; i < BASE_COUNT_OF(queues); i++)
        used += gossip_broadcasts_take(queues[i],
                                       serf_members_count(&serf->members),
                                       overhead, limit - used, emit, arg);
    return used;
}

void serf_queues_check(void *arg)
{
    struct gossip_serf *serf = arg;
    size_t limit = depth_limit(serf);

    prune_queue(serf, serf->intent_queue, limit);
    prune_queue(serf, serf->query_queue, limit);
    prune_queue(serf, serf->event_queue, limit);
    base_timer_start_ms(&serf->queue_timer, serf->cfg.queue_check_interval_ms);
}

static void unlink_wait(struct serf_wait *wait)
{
    struct serf_wait **at = &wait->serf->waits;

    while (*at != wait)
        at = &(*at)->next;
    *at = wait->next;
    base_timer_stop(&wait->timer);
    base_free(wait);
}

/* The queue may tell in the middle of any call: what follows comes later. */
static void on_sent(void *arg)
{
    struct serf_wait *wait = arg;

    wait->queued = false;
    wait->sent = true;
    base_timer_start_ns(&wait->timer, 0);
}

static void on_wait_over(void *arg)
{
    struct serf_wait *wait = arg;
    gossip_done_fn done = wait->done;
    void *done_arg = wait->arg;
    int status = wait->sent ? 0 : GOSSIP_ETIMEOUT;

    wait->done = NULL;
    if (!wait->queued)
        unlink_wait(wait);
    if (done != NULL)
        done(done_arg, status);
}

void serf_broadcast_wait(struct gossip_serf *serf, const void *data, size_t len,
                         uint32_t timeout_ms, gossip_done_fn done, void *arg)
{
    struct serf_wait *wait = BASE_NEW(wait);

    wait->serf = serf;
    wait->done = done;
    wait->arg = arg;
    wait->next = serf->waits;
    serf->waits = wait;
    base_timer_init(&wait->timer, serf->env, "serf-wait", on_wait_over, wait);
    base_timer_start_ms(&wait->timer, timeout_ms);
    wait->queued = true;
    if (!serf_others_alive(serf) ||
        !serf_broadcast(serf, serf->intent_queue, NULL, data, len, on_sent,
                        wait))
        on_sent(wait);
}

void serf_waits_close(struct gossip_serf *serf)
{
    while (serf->waits != NULL)
        unlink_wait(serf->waits);
}
