/*
 * The gossip loop, which sends what is queued to a few random nodes
 * (gossip.md 2.5), and the worker that empties the inbox between packets
 * (2.11).
 */
#include "memberlist/node.h"

#include "base/alloc.h"

/* How many messages one turn of the loop merges: some 100 us of work, so that
 * pings are answered in between. */
#define INBOX_TURN 64
#define GOSSIP_NODES_LIMIT 64

static bool is_gossiped_to(void *arg, const struct ml_member *member)
{
    const struct gossip_memberlist *ml = arg;

    switch (member->state) {
    case GOSSIP_ALIVE:
    case GOSSIP_SUSPECT:
        return !ml_is_self(ml, member);
    case GOSSIP_DEAD: /* so that it can refute, if it is not */
        return !ml_is_self(ml, member) &&
               base_env_now_ns(ml->env) - member->change_ns <=
                   ml_ms(ml->params.gossip_to_the_dead_ms);
    default:
        return false;
    }
}

static bool has_news(const struct gossip_memberlist *ml)
{
    return gossip_broadcasts_count(ml->broadcasts) > 0 ||
           (ml->delegate != NULL && ml->delegate->broadcasts != NULL);
}

static void on_tick(void *arg)
{
    struct gossip_memberlist *ml = arg;
    struct ml_member *targets[GOSSIP_NODES_LIMIT];
    size_t want = ml->params.gossip_nodes, count, i;
    bool more = true;

    base_timer_start_ms(&ml->gossip_timer, ml->params.gossip_interval_ms);
    if (!has_news(ml))
        return;
    if (want > GOSSIP_NODES_LIMIT)
        want = GOSSIP_NODES_LIMIT;
    count = ml_members_random(&ml->members, ml->env, want, is_gossiped_to, ml,
                              targets);
    for (i = 0; i < count && more; i++) {
        struct ml_parts parts = {BASE_BUF_INIT, BASE_BUF_INIT, 0};
        struct gossip_peer peer = ml_peer_of(targets[i]->record);

        ml_take_broadcasts(ml, ml_broadcast_bytes_max(ml) +
                                   ML_COMPOUND_PART_BYTES, &parts);
        more = parts.count > 0;
        ml_broadcasts_sent(ml, !more || ml_send_parts(ml, &peer,
                                                      targets[i]->record,
                                                      &parts) == 0);
        ml_parts_close(&parts);
    }
}

static void merge_alive(struct gossip_memberlist *ml,
                        const struct ml_inbox_entry *entry,
                        struct base_cursor *in)
{
    struct mp_scratch scratch = {NULL};
    struct ml_alive alive;
    struct ml_facts facts;
    struct ml_record *record;
    enum ml_drop why = ML_DROP_DECODE;

    if (ml_get(in, ML_ALIVE, &alive, &scratch))
        why = ml_check_facts(ml, alive.node, alive.addr, alive.port,
                             alive.meta, alive.vsn, &facts);
    if (why == ML_DROP_COUNT && (!ml_addr_is_allowed(ml, &entry->from) ||
                                 !ml_addr_is_allowed(ml, &facts.addr)))
        why = ML_DROP_CIDR;
    if (why == ML_DROP_COUNT) {
        record = ml_records_intern(ml->members.records, &facts, NULL);
        ml_rule_alive(ml, record, alive.incarnation);
        ml_record_unref(record);
    } else {
        ml_drop(ml, why, &entry->from, "alive");
    }
    mp_scratch_close(&scratch);
}

/* What was merged, of another than ourselves, and not refused, need not be
 * merged again. */
static void remember(struct gossip_memberlist *ml, const struct ml_claim *claim,
                     uint32_t hash)
{
    const struct ml_member *member =
        ml_members_find(&ml->members, claim->node);

    if (member != NULL && !ml_is_self(ml, member) &&
        member->incarnation >= claim->incarnation)
        ml_heard_add(&ml->heard, hash);
}

static void merge_claim(struct gossip_memberlist *ml,
                        const struct ml_inbox_entry *entry,
                        struct base_cursor *in)
{
    struct mp_scratch scratch = {NULL};
    enum ml_type type = (enum ml_type)entry->type;
    struct ml_claim claim;

    if (!ml_get(in, type, &claim, &scratch)) {
        ml_drop(ml, ML_DROP_DECODE, &entry->from, ml_type_name(type));
    } else if (!ml_name_is_valid(claim.node) ||
               claim.from.len > GOSSIP_NAME_MAX) {
        ml_drop(ml, ML_DROP_NAME, &entry->from, ml_type_name(type));
    } else {
        if (type == ML_SUSPECT)
            ml_rule_suspect(ml, claim.incarnation, claim.node, claim.from);
        else
            ml_rule_dead(ml, claim.incarnation, claim.node, claim.from);
        remember(ml, &claim, entry->hash);
    }
    mp_scratch_close(&scratch);
}

static void merge_entry(struct gossip_memberlist *ml,
                        const struct ml_inbox_entry *entry)
{
    struct base_cursor in = base_cursor_of(entry->data, entry->len);

    if (entry->type == ML_ALIVE)
        merge_alive(ml, entry, &in);
    else if (entry->type != ML_USER)
        merge_claim(ml, entry, &in);
    else if (ml->delegate != NULL && ml->delegate->on_message != NULL)
        ml->delegate->on_message(ml->delegate_ctx, entry->data, entry->len);
}

static void on_inbox(void *arg)
{
    struct gossip_memberlist *ml = arg;
    unsigned done;

    for (done = 0; done < INBOX_TURN; done++) {
        struct ml_inbox_entry *entry = ml_inbox_take(&ml->inbox);

        if (entry == NULL)
            return;
        merge_entry(ml, entry);
        base_free(entry);
    }
    ml_inbox_wake(ml);
}

void ml_inbox_wake(struct gossip_memberlist *ml)
{
    if (!base_timer_is_running(&ml->inbox_timer) &&
        ml_inbox_count(&ml->inbox) > 0)
        base_timer_start_ns(&ml->inbox_timer, 0);
}

void ml_gossip_start(struct gossip_memberlist *ml)
{
    uint64_t interval_ns = ml_ms(ml->params.gossip_interval_ms);

    base_timer_init(&ml->inbox_timer, ml->env, "inbox", on_inbox, ml);
    base_timer_init(&ml->gossip_timer, ml->env, "gossip", on_tick, ml);
    if (interval_ns > 0 && ml->params.gossip_nodes > 0)
        base_timer_start_ns(&ml->gossip_timer,
                            base_env_random_below(ml->env, interval_ns));
}
