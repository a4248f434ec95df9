/*
 * UDP and TCP on one port (gossip.md 1.1, 1.12). The one file of the library
 * that opens sockets; and it knows them only as struct base_net, so on a
 * virtual network it is the same.
 */
#include "gossip/net_transport.h"

#include "base/alloc.h"
#include "base/error.h"
#include "gossip/memberlist.h"
#include "host_addr.h"

#define PORT_TRIES 10

struct gossip_net_transport {
    struct base_net *net;
    struct base_addr bind;
    struct base_listener *listener;
    struct base_packets *packets;
    struct gossip_memberlist *memberlist; /* NULL until attached */
};

struct gossip_dial {
    struct gossip_net_transport *transport;
    struct base_dial *dial;
    gossip_stream_fn done;
    void *arg;
};

static void on_packet(void *arg, const struct base_addr *from,
                      const void *data, size_t len)
{
    struct gossip_net_transport *transport = arg;

    if (transport->memberlist != NULL)
        gossip_packet_in(transport->memberlist, from, data, len);
}

static void on_accept(void *arg, struct base_stream *stream)
{
    struct gossip_net_transport *transport = arg;

    if (transport->memberlist != NULL)
        gossip_stream_in(transport->memberlist, stream);
    else
        base_stream_close(stream);
}

/* TCP first; its port then has to be free for UDP too. */
static int bind_both(struct gossip_net_transport *transport,
                     const struct base_addr *bind)
{
    struct base_net *net = transport->net;
    int rv = base_net_listen(net, bind, on_accept, transport,
                             &transport->listener);

    if (rv < 0)
        return rv;
    base_net_listener_addr(net, transport->listener, &transport->bind);
    rv = base_net_packets(net, &transport->bind, on_packet, transport,
                          &transport->packets);
    if (rv < 0) {
        base_net_listener_close(net, transport->listener);
        transport->listener = NULL;
    }
    return rv;
}

int gossip_net_transport_new(struct base_net *net, const struct base_addr *bind,
                             struct gossip_net_transport **out)
{
    struct gossip_net_transport *transport;
    int tries = bind->port == 0 ? PORT_TRIES : 1;
    int rv;

    BASE_NEW(transport);
    transport->net = net;
    do {
        rv = bind_both(transport, bind);
    } while (rv == BASE_EINUSE && --tries > 0);
    if (rv < 0) {
        base_free(transport);
        return rv;
    }
    *out = transport;
    return 0;
}

void gossip_net_transport_attach(struct gossip_net_transport *transport,
                                 struct gossip_memberlist *memberlist)
{
    transport->memberlist = memberlist;
}

void gossip_net_transport_addr(const struct gossip_net_transport *transport,
                               struct base_addr *out)
{
    *out = transport->bind;
}

int gossip_net_transport_advertise(const struct gossip_net_transport *transport,
                                   struct base_addr *out)
{
    uint8_t family = transport->bind.family;
    struct base_log log =
        base_log_named(&transport->net->env->log, "gossip.net");
    struct base_addr addrs[HOST_ADDRS_MAX], route;
    size_t count, i;

    *out = transport->bind;
    if (!base_addr_is_any(out))
        return 0;
    count = host_addrs_rank(addrs, host_addrs(addrs), family,
                            host_addr_of_route(family, &route) ? &route : NULL);
    if (count == 0)
        return BASE_ENOTFOUND;
    *out = addrs[0];
    out->port = transport->bind.port;
    base_log(&log, BASE_LOG_INFO, "advertising", kv_addr("addr", out));
    for (i = 1; i < count; i++)
        base_log(&log, BASE_LOG_INFO, "not advertising",
                 kv_addr("addr", &addrs[i]));
    return 0;
}

void gossip_net_transport_free(struct gossip_net_transport *transport)
{
    if (transport == NULL)
        return;
    base_net_listener_close(transport->net, transport->listener);
    base_net_packets_close(transport->net, transport->packets);
    base_free(transport);
}

static int send_packet(void *ctx, const struct gossip_peer *to,
                       const void *data, size_t len)
{
    struct gossip_net_transport *transport = ctx;

    return base_net_packets_send(transport->net, transport->packets, &to->addr,
                                 data, len);
}

static void on_dialled(void *arg, int status, struct base_stream *stream)
{
    struct gossip_dial *dial = arg;
    gossip_stream_fn done = dial->done;
    void *done_arg = dial->arg;

    base_free(dial);
    done(done_arg, status, stream);
}

static int dial_stream(void *ctx, const struct gossip_peer *to,
                       uint32_t timeout_ms, gossip_stream_fn done, void *arg,
                       struct gossip_dial **out)
{
    struct gossip_net_transport *transport = ctx;
    const struct base_addr *from =
        base_addr_is_any(&transport->bind) ? NULL : &transport->bind;
    struct gossip_dial *dial;
    int rv;

    BASE_NEW(dial);
    dial->transport = transport;
    dial->done = done;
    dial->arg = arg;
    rv = base_net_dial(transport->net, &to->addr, from, timeout_ms, on_dialled,
                       dial, &dial->dial);
    if (rv < 0) {
        base_free(dial);
        return rv;
    }
    if (out != NULL)
        *out = dial;
    return 0;
}

static void dial_cancel(void *ctx, struct gossip_dial *dial)
{
    struct gossip_net_transport *transport = ctx;

    base_net_dial_cancel(transport->net, dial->dial);
    base_free(dial);
}

static const struct gossip_transport_ops ops = {
    .version = 1,
    .send_packet = send_packet,
    .dial_stream = dial_stream,
    .dial_cancel = dial_cancel,
    .wants_stream_ping = NULL,
};

struct gossip_transport
gossip_net_transport_ops(struct gossip_net_transport *transport)
{
    return (struct gossip_transport){&ops, transport};
}
