/*
 * A second road for answers: each may also go by other members, so that one
 * bad link between two nodes does not lose it (gossip.md 3.7).
 */
#include "serf/core.h"

#include "base/alloc.h"

#define PROTOCOL_RELAY 5 /* the first that knows relays */

static bool can_relay(void *arg, const struct gossip_node *node)
{
    struct gossip_serf *serf = arg;

    return node->state == GOSSIP_ALIVE && !serf_is_self(serf, node->name) &&
           node->vsn[4] >= PROTOCOL_RELAY;
}

static void relay_by(struct gossip_serf *serf, size_t count,
                     const void *wrapped, size_t len)
{
    struct gossip_node nodes[UINT8_MAX];
    size_t i;

    count = gossip_memberlist_random(serf->memberlist, count, can_relay, serf,
                                     nodes);
    for (i = 0; i < count; i++) {
        struct gossip_peer peer = {nodes[i].name, nodes[i].addr};

        (void)gossip_memberlist_send(serf->memberlist, &peer, wrapped, len);
    }
}

void serf_relay_out(struct gossip_serf *serf, uint8_t factor,
                    const struct gossip_peer *to, const void *data, size_t len)
{
    struct serf_msg_relay msg = {
        .ip = mp_bytes_of(to->addr.ip, base_addr_ip_len(&to->addr)),
        .port = to->addr.port,
        .node = mp_str_of(to->name),
        .inner = mp_bytes_of(data, len)};
    struct base_buf out = BASE_BUF_INIT;
    size_t alive;

    if (factor == 0 || serf_members_count(&serf->members) < factor + 1u)
        return;
    serf_put_relay(&out, &msg);
    alive = serf_alive_count(serf);
    if (base_buf_len(&out) <= serf->cfg.query_response_bytes_max)
        relay_by(serf, factor < alive ? factor : alive, base_buf_data(&out),
                 base_buf_len(&out));
    base_buf_close(&out);
}

void serf_relay_in(struct gossip_serf *serf, const void *data, size_t len)
{
    struct mp_scratch scratch = {NULL};
    struct serf_msg_relay msg;
    char name[GOSSIP_NAME_MAX + 1] = "";
    struct gossip_peer to = {name, {0}};

    /* Answers only: a relay must not become a way to inject gossip under
     * another's address (gossip.md 6.3 rule 8). */
    if (serf_get_relay(&msg, data, len, &scratch) < 0 ||
        msg.inner.len == 0 || msg.inner.data[0] != SERF_QUERY_RESPONSE ||
        (msg.node.len > 0 && !serf_name_copy(name, msg.node)) ||
        base_addr_from_ip(&to.addr, msg.ip.data, msg.ip.len, msg.port) < 0)
        serf_refuse(serf, serf->counters.malformed, "relay", "");
    else if (!serf_may_answer(serf, &to.addr))
        serf_refuse(serf, serf->counters.unroutable, "relay",
                    "address is not allowed");
    else if (serf_send(serf, &to, msg.inner.data, msg.inner.len) < 0)
        serf_refuse(serf, serf->counters.unroutable, "relay", name);
    mp_scratch_close(&scratch);
}
