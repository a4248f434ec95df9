/*
 * What a peer says about a node, before anything believes it: names, addresses
 * and versions that would break this node or others are refused here, once,
 * for alive messages and push/pull entries alike (gossip.md 6.3.3, 6.3.4).
 */
#include "memberlist/node.h"

bool ml_name_is_valid(struct mp_bytes name)
{
    return name.len >= 1 && name.len <= GOSSIP_NAME_MAX &&
           memchr(name.data, '\0', name.len) == NULL &&
           memchr(name.data, '\n', name.len) == NULL;
}

bool ml_addr_is_allowed(const struct gossip_memberlist *ml,
                        const struct base_addr *addr)
{
    size_t i;

    for (i = 0; i < ml->cidr_count; i++)
        if (base_cidr_contains(&ml->cidrs[i], addr))
            return true;
    return ml->cidr_count == 0;
}

/* Anything else makes every later push/pull of original nodes fail, since
 * they check ranges over all members (gossip.md 1.11, 9.7). */
static bool vsn_is_valid(struct mp_bytes vsn)
{
    const uint8_t *v = vsn.data;

    return vsn.len == ML_VSN_BYTES && v[0] > 0 && v[0] <= v[1] &&
           v[2] >= v[0] && v[2] <= v[1] && v[5] >= v[3] && v[5] <= v[4];
}

enum ml_drop ml_check_facts(const struct gossip_memberlist *ml,
                            struct mp_bytes name, struct mp_bytes addr,
                            uint16_t port, struct mp_bytes meta,
                            struct mp_bytes vsn, struct ml_facts *facts)
{
    memset(facts, 0, sizeof(*facts));
    if (!ml_name_is_valid(name))
        return ML_DROP_NAME;
    if (!vsn_is_valid(vsn))
        return ML_DROP_VSN;
    if (meta.len > GOSSIP_META_BYTES_MAX)
        return ML_DROP_META;
    /* Speakers of protocol 1 share one port (gossip.md 1.4). */
    if (port == 0 || ml->vsn[2] == 1)
        port = ml->advertise.port;
    if (addr.len == 0 ||
        base_addr_from_ip(&facts->addr, addr.data, addr.len, port) < 0)
        return ML_DROP_ADDR;
    facts->name = name;
    facts->meta = meta;
    facts->vsn = vsn.data;
    return ML_DROP_COUNT;
}
