/*
 * A view that its user kept: members that a node holds from the start, so that
 * it need not ask for what is known. They pass the checks that hold for what
 * peers say; probing finds out who of them is gone.
 */
#include "memberlist/node.h"

static enum ml_drop check(const struct gossip_memberlist *ml,
                          const struct gossip_node *node,
                          struct ml_facts *facts)
{
    struct mp_bytes ip =
        mp_bytes_of(node->addr.ip, base_addr_ip_len(&node->addr));
    struct mp_bytes meta = {0};
    enum ml_drop why;

    if (node->meta_len > 0) /* none is nil, as nodes say it of themselves */
        meta = mp_bytes_of(node->meta, node->meta_len);
    why = ml_check_facts(ml, mp_str_of(node->name), ip, node->addr.port, meta,
                         mp_bytes_of(node->vsn, ML_VSN_BYTES), facts);
    if (why == ML_DROP_COUNT && !ml_addr_is_allowed(ml, &facts->addr))
        why = ML_DROP_CIDR;
    if (why == ML_DROP_COUNT && node->incarnation >= ML_INCARNATION_HIGH)
        why = ML_DROP_INCARNATION;
    if (why == ML_DROP_COUNT && ml->members.count >= ML_MEMBERS_MAX)
        why = ML_DROP_MEMBERS_FULL;
    return why;
}

static bool take(struct gossip_memberlist *ml, const struct gossip_node *node)
{
    struct ml_facts facts;
    struct ml_member *member;
    enum ml_drop why = check(ml, node, &facts);

    if (why != ML_DROP_COUNT) {
        ml_drop(ml, why, &node->addr, node->name);
        return false;
    }
    if (ml_members_find(&ml->members, facts.name) != NULL)
        return false;
    member =
        ml_members_add(&ml->members, ml->env,
                       ml_records_intern(ml->members.records, &facts, NULL));
    member->incarnation = node->incarnation;
    ml_members_set_state(&ml->members, member, GOSSIP_ALIVE,
                         base_env_now_ns(ml->env));
    ml_heard_forget(&ml->heard);
    return true;
}

size_t gossip_memberlist_restore(struct gossip_memberlist *ml,
                                 const struct gossip_node *nodes, size_t count)
{
    size_t taken = 0, i;

    for (i = 0; i < count; i++)
        if (nodes[i].state == GOSSIP_ALIVE || nodes[i].state == GOSSIP_SUSPECT)
            taken += take(ml, &nodes[i]);
    return taken;
}
