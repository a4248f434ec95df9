/*
 * How members change: what memberlist saw, and what intents announce. The two
 * arrive in any order, so an intent about an unknown node is kept for later,
 * and Lamport times decide which intent counts (gossip.md 3.4).
 */
#include "serf/core.h"

#include "base/alloc.h"

size_t serf_alive_count(const struct gossip_serf *serf)
{
    size_t count = 0;
    size_t i;

    for (i = 0; i < serf_members_count(&serf->members); i++)
        count += serf_members_at(&serf->members, i)->status ==
                 GOSSIP_MEMBER_ALIVE;
    return count;
}

bool serf_others_alive(const struct gossip_serf *serf)
{
    size_t i;

    for (i = 0; i < serf_members_count(&serf->members); i++) {
        const struct serf_member *member = serf_members_at(&serf->members, i);

        if (member->status == GOSSIP_MEMBER_ALIVE &&
            !serf_is_self(serf, member->name))
            return true;
    }
    return false;
}

static void set_status(struct gossip_serf *serf, struct serf_member *member,
                       enum gossip_member_status status)
{
    serf_members_set_status(&serf->members, member, status,
                            base_env_now_ms(serf->env));
}

static struct serf_member *add_member(struct gossip_serf *serf,
                                      const char *name)
{
    struct serf_member *member = serf_members_add(&serf->members, name);
    uint64_t ltime;

    if (member == NULL) {
        serf_refuse(serf, serf->counters.full, "member", name);
        return NULL;
    }
    set_status(serf, member, GOSSIP_MEMBER_ALIVE);
    if (serf_intents_get(&serf->intents, name, SERF_INTENT_JOIN, &ltime))
        member->status_ltime = ltime;
    if (serf_intents_get(&serf->intents, name, SERF_INTENT_LEAVE, &ltime)) {
        member->status_ltime = ltime;
        set_status(serf, member, GOSSIP_MEMBER_LEAVING);
    }
    return member;
}

void serf_node_join(struct gossip_serf *serf, const struct gossip_node *node)
{
    struct serf_member *member = serf_members_find(&serf->members, node->name);

    if (member == NULL) {
        member = add_member(serf, node->name);
        if (member == NULL)
            return;
    } else {
        set_status(serf, member, GOSSIP_MEMBER_ALIVE);
        member->gone_ms = 0;
        member->pruning = false;
    }
    serf_member_refresh(member, node);
    serf_emit_member(serf, GOSSIP_EVENT_MEMBER_JOIN, member);
}

void serf_node_leave(struct gossip_serf *serf, const struct gossip_node *node)
{
    struct serf_member *member = serf_members_find(&serf->members, node->name);

    if (member == NULL)
        return;
    switch (member->status) {
    case GOSSIP_MEMBER_LEAVING:
        set_status(serf, member, GOSSIP_MEMBER_LEFT);
        serf_emit_member(serf, GOSSIP_EVENT_MEMBER_LEAVE, member);
        break;
    case GOSSIP_MEMBER_ALIVE:
        set_status(serf, member, GOSSIP_MEMBER_FAILED);
        serf_emit_member(serf, GOSSIP_EVENT_MEMBER_FAILED, member);
        break;
    default:
        break;
    }
}

void serf_node_update(struct gossip_serf *serf, const struct gossip_node *node)
{
    struct serf_member *member = serf_members_find(&serf->members, node->name);

    if (member == NULL)
        return;
    serf_member_refresh(member, node);
    serf_emit_member(serf, GOSSIP_EVENT_MEMBER_UPDATE, member);
}

static bool buffer_intent(struct gossip_serf *serf, const char *name,
                          enum serf_intent_kind kind, uint64_t ltime)
{
    bool full;
    bool news = serf_intents_put(&serf->intents, name, kind, ltime,
                                 base_env_now_ms(serf->env), &full);

    if (full)
        serf_refuse(serf, serf->counters.full, "intent", name);
    return news;
}

bool serf_join_intent(struct gossip_serf *serf, const char *name,
                      uint64_t ltime)
{
    struct serf_member *member;

    serf_lamport_witness(&serf->clock, ltime);
    member = serf_members_find(&serf->members, name);
    if (member == NULL)
        return buffer_intent(serf, name, SERF_INTENT_JOIN, ltime);
    if (ltime <= member->status_ltime)
        return false;
    member->status_ltime = ltime;
    /* The leave that we heard of was refuted, or is from a former life. */
    if (member->status == GOSSIP_MEMBER_LEAVING)
        set_status(serf, member, GOSSIP_MEMBER_ALIVE);
    return true;
}

/* A leave of ours that we did not say. One of the same time as our last join
 * counts too: where the leave came first, the join came too late (another node
 * made the leave at that moment), and we would look as if leaving for ever. */
static bool refutes(const struct gossip_serf *serf,
                    const struct serf_member *member, uint64_t ltime)
{
    return serf_is_self(serf, member->name) &&
           serf->state == GOSSIP_SERF_ALIVE && ltime >= member->status_ltime;
}

bool serf_leave_intent(struct gossip_serf *serf, const char *name,
                       uint64_t ltime, bool prune)
{
    struct serf_member *member;

    serf_lamport_witness(&serf->clock, ltime);
    member = serf_members_find(&serf->members, name);
    if (member == NULL)
        return buffer_intent(serf, name, SERF_INTENT_LEAVE, ltime);
    if (refutes(serf, member, ltime)) {
        base_log(&serf->log, BASE_LOG_DEBUG, "refuting a leave intent");
        serf_broadcast_join(serf);
        return false;
    }
    if (ltime <= member->status_ltime)
        return false;
    member->status_ltime = ltime;
    switch (member->status) {
    case GOSSIP_MEMBER_ALIVE:
        set_status(serf, member, GOSSIP_MEMBER_LEAVING);
        break;
    case GOSSIP_MEMBER_FAILED:
        set_status(serf, member, GOSSIP_MEMBER_LEFT);
        serf_emit_member(serf, GOSSIP_EVENT_MEMBER_LEAVE, member);
        break;
    case GOSSIP_MEMBER_LEAVING:
    case GOSSIP_MEMBER_LEFT:
        break;
    default:
        return false;
    }
    if (prune)
        serf_prune(serf, member);
    return true;
}

void serf_broadcast_join(struct gossip_serf *serf)
{
    struct serf_msg_intent msg = {.ltime = serf->clock.time,
                                  .node = mp_str_of(serf->cfg.name)};
    struct base_buf out = BASE_BUF_INIT;

    serf_join_intent(serf, serf->cfg.name, msg.ltime);
    serf_put_intent(&out, SERF_JOIN, &msg);
    /* By name: of our own joins only the newest matters. */
    serf_broadcast(serf, serf->intent_queue, "join", base_buf_data(&out),
                   base_buf_len(&out), NULL, NULL);
    base_buf_close(&out);
}

void serf_erase(struct gossip_serf *serf, struct serf_member *member)
{
    serf_emit_member(serf, GOSSIP_EVENT_MEMBER_REAP, member);
    serf_members_remove(&serf->members, member);
}
