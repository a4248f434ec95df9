/*
 * Forgetting a member on request. One that is still leaving is erased only when
 * it is gone: a member that memberlist holds alive would otherwise be missing
 * here for good. The original sleeps under its lock instead (gossip.md 9.29);
 * here a timer looks again.
 */
#include "serf/core.h"

static void look_again(struct gossip_serf *serf)
{
    if (!base_timer_is_running(&serf->prune_timer))
        base_timer_start_ms(&serf->prune_timer,
                            (uint64_t)serf->cfg.broadcast_timeout_ms +
                                serf->cfg.leave_propagate_delay_ms);
}

void serf_prune(struct gossip_serf *serf, struct serf_member *member)
{
    if (serf_is_self(serf, member->name))
        return;
    if (member->status == GOSSIP_MEMBER_LEFT) {
        serf_erase(serf, member);
        return;
    }
    member->pruning = true;
    look_again(serf);
}

void serf_prune_due(void *arg)
{
    struct gossip_serf *serf = arg;
    size_t i = serf_members_count(&serf->members);
    bool more = false;

    /* From the end: erasing moves the last one into the gap. */
    while (i-- > 0) {
        struct serf_member *member = serf_members_at(&serf->members, i);

        if (!member->pruning)
            continue;
        switch (member->status) {
        case GOSSIP_MEMBER_LEFT:
        case GOSSIP_MEMBER_FAILED:
            serf_erase(serf, member);
            break;
        case GOSSIP_MEMBER_LEAVING:
            more = true;
            break;
        default: /* it refuted */
            member->pruning = false;
        }
    }
    if (more)
        look_again(serf);
}
