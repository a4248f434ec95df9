/*
 * What happens by the clock: members that are gone for long are forgotten, and
 * those that failed are tried again, so that a healed partition grows together
 * without anybody's help (gossip.md 3.10).
 */
#include "serf/core.h"

#include <math.h>

static uint64_t patience_ms(struct gossip_serf *serf,
                            const struct serf_member *member)
{
    uint64_t timeout_ms = member->status == GOSSIP_MEMBER_FAILED
                              ? serf->cfg.reconnect_timeout_ms
                              : serf->cfg.tombstone_timeout_ms;
    struct serf_member_view view;

    if (serf->cfg.reap_after_ms == NULL)
        return timeout_ms;
    serf_member_view_of(&view, member);
    timeout_ms =
        serf->cfg.reap_after_ms(serf->cfg.ctx, &view.member, timeout_ms);
    serf_member_view_close(&view);
    return timeout_ms;
}

static bool is_due(struct gossip_serf *serf, const struct serf_member *member,
                   uint64_t now_ms)
{
    if (member->status != GOSSIP_MEMBER_FAILED &&
        member->status != GOSSIP_MEMBER_LEFT)
        return false;
    /* We may have left ourselves, and are still here to be asked. */
    if (serf_is_self(serf, member->name))
        return false;
    return now_ms - member->gone_ms > patience_ms(serf, member);
}

/* A leave that does not end was meant for nobody, or its refutation was lost:
 * who is said to leave hears it once more, and says no or goes. */
static void ask_again(struct gossip_serf *serf,
                      const struct serf_member *member, uint64_t now_ms)
{
    uint64_t patience = 2 * (uint64_t)serf->cfg.broadcast_timeout_ms +
                        serf->cfg.leave_propagate_delay_ms;
    struct serf_msg_intent msg = {.ltime = member->status_ltime,
                                  .node = mp_str_of(member->name)};
    struct gossip_peer peer = {member->name, member->addr};
    struct base_buf out = BASE_BUF_INIT;

    if (member->status != GOSSIP_MEMBER_LEAVING ||
        serf_is_self(serf, member->name) ||
        now_ms - member->gone_ms < patience)
        return;
    serf_put_intent(&out, SERF_LEAVE, &msg);
    (void)gossip_memberlist_send(serf->memberlist, &peer, base_buf_data(&out),
                                 base_buf_len(&out));
    base_buf_close(&out);
}

static void on_reap(void *arg)
{
    struct gossip_serf *serf = arg;
    uint64_t now_ms = base_env_now_ms(serf->env);
    size_t i = serf_members_count(&serf->members);

    while (i-- > 0) {
        struct serf_member *member = serf_members_at(&serf->members, i);

        if (is_due(serf, member, now_ms)) {
            base_log(&serf->log, BASE_LOG_INFO, "member forgotten",
                     kv_str("node", member->name));
            serf_erase(serf, member);
        } else {
            ask_again(serf, member, now_ms);
        }
    }
    serf_intents_reap(&serf->intents, now_ms,
                      serf->cfg.recent_intent_timeout_ms);
    serf_questions_reap(serf);
    base_timer_start_ms(&serf->reap_timer, serf->cfg.reap_interval_ms);
}

static struct serf_member *nth_failed(const struct gossip_serf *serf, size_t n)
{
    size_t i;

    for (i = 0; i < serf_members_count(&serf->members); i++) {
        struct serf_member *member = serf_members_at(&serf->members, i);

        if (member->status == GOSSIP_MEMBER_FAILED && n-- == 0)
            return member;
    }
    return NULL;
}

/* Each node tries with a chance that makes about one try per failed member in
 * the whole pool, however large it is. */
static bool draw(struct gossip_serf *serf)
{
    const struct serf_members *members = &serf->members;
    size_t failed = members->failed_count;
    size_t others = serf_members_count(members) - failed - members->left_count;

    if (others == 0)
        others = 1;
    return base_env_random_below(serf->env, others) < failed;
}

/* The member's return is told by memberlist, a failure needs no words. */
static void on_tried(void *arg, int status)
{
    (void)arg;
    (void)status;
}

static void on_reconnect(void *arg)
{
    struct gossip_serf *serf = arg;
    size_t failed = serf->members.failed_count;

    base_timer_start_ms(&serf->reconnect_timer,
                        serf->cfg.reconnect_interval_ms);
    if (failed > 0 && serf->state == GOSSIP_SERF_ALIVE && draw(serf)) {
        struct serf_member *member = nth_failed(
            serf, (size_t)base_env_random_below(serf->env, failed));
        struct gossip_peer peer = {member->name, member->addr};

        base_log(&serf->log, BASE_LOG_DEBUG, "trying a failed member again",
                 kv_str("node", member->name));
        (void)gossip_memberlist_join(serf->memberlist, &peer, on_tried,
                                    NULL);
    }
}

void serf_reap_start(struct gossip_serf *serf)
{
    base_timer_init(&serf->reap_timer, serf->env, "serf-reap", on_reap, serf);
    base_timer_init(&serf->reconnect_timer, serf->env, "serf-reconnect",
                    on_reconnect, serf);
    base_timer_init(&serf->queue_timer, serf->env, "serf-queues",
                    serf_queues_check, serf);
    base_timer_init(&serf->prune_timer, serf->env, "serf-prune",
                    serf_prune_due, serf);
    base_timer_start_ms(&serf->reap_timer, serf->cfg.reap_interval_ms);
    base_timer_start_ms(&serf->reconnect_timer,
                        serf->cfg.reconnect_interval_ms);
    base_timer_start_ms(&serf->queue_timer, serf->cfg.queue_check_interval_ms);
}

void serf_reap_stop(struct gossip_serf *serf)
{
    base_timer_stop(&serf->reap_timer);
    base_timer_stop(&serf->reconnect_timer);
    base_timer_stop(&serf->queue_timer);
    base_timer_stop(&serf->prune_timer);
}
