/*
 * Probes by others, served at once on the receive path: a ping gets an ack; an
 * indirect ping is passed on, and its requester gets the ack, or a nack if
 * none came in time (gossip.md 2.3, "Serving").
 */
#include "memberlist/node.h"

#include <uthash.h>

#include "base/alloc.h"

/* An indirect ping that we passed on for somebody. */
struct ml_relay {
    UT_hash_handle hh;
    struct gossip_memberlist *ml;
    struct base_timer timer;
    uint32_t seq_no;       /* ours */
    uint32_t their_seq_no; /* echoed to the requester */
    bool nack;
    struct base_addr addr;
    char name[];
};

struct ml_ping ml_ping_to(const struct gossip_memberlist *ml, uint32_t seq_no,
                          struct mp_bytes node)
{
    struct ml_ping ping = {0};

    ping.seq_no = seq_no;
    ping.node = node;
    ping.source_addr =
        mp_bytes_of(ml->advertise.ip, base_addr_ip_len(&ml->advertise));
    ping.source_port = ml->advertise.port;
    ping.source_node = mp_str_of(ml->name);
    return ping;
}

/* Whom to answer: the source fields if they are there, else where the packet
 * came from (gossip.md 1.3). name has room for any valid name. */
static struct gossip_peer requester(const struct base_addr *from,
                                    struct mp_bytes addr, uint16_t port,
                                    struct mp_bytes node,
                                    char name[GOSSIP_NAME_MAX + 1])
{
    struct gossip_peer peer = {name, *from};

    if (addr.len > 0 && port != 0)
        (void)base_addr_from_ip(&peer.addr, addr.data, addr.len, port);
    name[0] = '\0';
    if (ml_name_is_valid(node)) {
        memcpy(name, node.data, node.len);
        name[node.len] = '\0';
    }
    return peer;
}

/* The record of a peer, for what it understands: only if name and address
 * are both those that we know. */
static const struct ml_record *record_of(const struct gossip_memberlist *ml,
                                         const struct gossip_peer *peer)
{
    struct ml_member *member =
        ml_members_find(&ml->members, mp_str_of(peer->name));

    if (member == NULL || !base_addr_equal(&member->record->addr, &peer->addr))
        return NULL;
    return member->record;
}

void ml_on_ping(struct gossip_memberlist *ml, const struct base_addr *from,
                const struct ml_ping *ping)
{
    char name[GOSSIP_NAME_MAX + 1];
    struct base_buf payload = BASE_BUF_INIT;
    struct ml_ack ack = {ping->seq_no, {NULL, 0}};
    struct gossip_peer peer;

    if (ping->node.len > 0 && !mp_is(ping->node, ml->name)) {
        ml_drop(ml, ML_DROP_WRONG_NODE, from, "ping");
        return;
    }
    peer = requester(from, ping->source_addr, ping->source_port,
                     ping->source_node, name);
    if (ml->delegate != NULL && ml->delegate->ack_payload != NULL)
        ml->delegate->ack_payload(ml->delegate_ctx, &payload);
    if (base_buf_len(&payload) > 0)
        ack.payload =
            mp_bytes_of(base_buf_data(&payload), base_buf_len(&payload));
    (void)ml_send_message(ml, &peer, record_of(ml, &peer), ML_ACK, &ack);
    base_buf_close(&payload);
}

static void relay_free(struct ml_relay *relay)
{
    HASH_DEL(relay->ml->relays, relay);
    base_timer_stop(&relay->timer);
    base_free(relay);
}

static void relay_on_time(void *arg)
{
    struct ml_relay *relay = arg;
    struct gossip_memberlist *ml = relay->ml;
    struct gossip_peer peer = {relay->name, relay->addr};
    struct ml_nack nack = {relay->their_seq_no};

    if (relay->nack)
        (void)ml_send_message(ml, &peer, record_of(ml, &peer), ML_NACK, &nack);
    relay_free(relay);
}

static struct ml_relay *relay_new(struct gossip_memberlist *ml,
                                  const struct gossip_peer *peer,
                                  const struct ml_indirect_ping *request)
{
    size_t name_len = strlen(peer->name);
    struct ml_relay *relay =
        base_calloc(1, sizeof(*relay) + name_len + 1);

    relay->ml = ml;
    relay->seq_no = ml_next_seq_no(ml);
    relay->their_seq_no = request->seq_no;
    relay->nack = request->nack;
    relay->addr = peer->addr;
    memcpy(relay->name, peer->name, name_len);
    base_timer_init(&relay->timer, ml->env, "relay", relay_on_time, relay);
    HASH_ADD(hh, ml->relays, seq_no, sizeof(relay->seq_no), relay);
    return relay;
}

void ml_on_indirect_ping(struct gossip_memberlist *ml,
                         const struct base_addr *from,
                         const struct ml_indirect_ping *request)
{
    char name[GOSSIP_NAME_MAX + 1], target_name[GOSSIP_NAME_MAX + 1];
    struct gossip_peer peer, target;
    struct ml_relay *relay;
    struct ml_ping ping;
    uint16_t port = request->port != 0 ? request->port : ml->advertise.port;

    peer = requester(from, request->source_addr, request->source_port,
                     request->source_node, name);
    target = requester(from, request->target, port, request->node,
                       target_name);
    if (base_addr_from_ip(&target.addr, request->target.data,
                          request->target.len, port) < 0) {
        ml_drop(ml, ML_DROP_ADDR, from, "indirect ping");
        return;
    }
    if (HASH_COUNT(ml->relays) >= ML_RELAYS_MAX) {
        ml_drop(ml, ML_DROP_RELAYS_FULL, from, "indirect ping");
        return;
    }
    relay = relay_new(ml, &peer, request);
    ping = ml_ping_to(ml, relay->seq_no, request->node);
    base_timer_start_ms(&relay->timer, ml->params.probe_timeout_ms);
    (void)ml_send_message(ml, &target, record_of(ml, &target), ML_PING, &ping);
}

void ml_on_ack(struct gossip_memberlist *ml, const struct ml_ack *ack)
{
    struct ml_relay *relay = NULL;
    struct ml_ack answer = {0};
    struct gossip_peer peer;

    if (ml_probe_on_ack(ml, ack))
        return;
    HASH_FIND(hh, ml->relays, &ack->seq_no, sizeof(ack->seq_no), relay);
    if (relay == NULL)
        return; /* late or never asked for */
    answer.seq_no = relay->their_seq_no;
    peer = (struct gossip_peer){relay->name, relay->addr};
    (void)ml_send_message(ml, &peer, record_of(ml, &peer), ML_ACK, &answer);
    relay_free(relay);
}

void ml_on_nack(struct gossip_memberlist *ml, const struct ml_nack *nack)
{
    ml_probe_on_nack(ml, nack->seq_no);
}

void ml_relays_close(struct gossip_memberlist *ml)
{
    struct ml_relay *relay, *next;

    HASH_ITER(hh, ml->relays, relay, next)
        relay_free(relay);
}
