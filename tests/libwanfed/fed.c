/* See fed.h. */
#include "fed.h"

#include <stdio.h>
#include <string.h>

#include "base/alloc.h"
#include "base/error.h"
#include "frame.h"

void fed_gateway_listen(struct fed_gateway *gateway); /* relay.c */
void fed_relays_close(struct fed_gateway *gateway);

/* ---- the network: datacenters meet at gateways only ---- */

static const char *dc_of(const struct base_sim_host *host)
{
    const char *dot = strchr(base_sim_host_name(host), '.');

    return dot != NULL ? dot + 1 : NULL; /* gateways have none */
}

static void link_of(void *arg, const struct base_sim_host *from,
                    const struct base_sim_host *to, struct base_sim_link *link)
{
    const char *a = dc_of(from);
    const char *b = dc_of(to);

    (void)arg;
    link->up = a == NULL || b == NULL || strcmp(a, b) == 0;
    link->delay_min_us = 2000;
    link->delay_max_us = 4000;
}

void fed_open(struct fed *fed)
{
    memset(fed, 0, sizeof(*fed));
    fed->sim = base_sim_new(7);
    base_sim_set_link(fed->sim, link_of, fed);
}

static void server_close(struct fed_server *server)
{
    gossip_memberlist_free(server->memberlist);
    wanfed_transport_free(server->wan);
    rpc_dialer_free(server->dialer);
    rpc_listener_free(server->listener);
    gossip_net_transport_free(server->inner);
    if (server->sink != NULL)
        base_stream_close(server->sink);
    rpc_sim_secure_free(server->secure);
    base_buf_close(&server->sunk);
    base_metrics_free(server->metrics);
    server->memberlist = NULL;
    server->wan = NULL;
}

void fed_close(struct fed *fed)
{
    size_t i;

    for (i = 0; i < fed->server_count; i++)
        if (fed->servers[i].wan != NULL)
            server_close(&fed->servers[i]);
    for (i = 0; i < fed->gateway_count; i++)
        if (fed->gateways[i].listener != NULL)
            fed_gateway_crash(&fed->gateways[i]);
    base_sim_free(fed->sim);
}

static struct base_addr ip_of(const char *ip, uint16_t port)
{
    struct base_addr addr;

    ck_assert_int_eq(base_addr_parse_ip(&addr, ip), 0);
    addr.port = port;
    return addr;
}

struct fed_gateway *fed_add_gateway(struct fed *fed, const char *ip)
{
    struct fed_gateway *gateway = &fed->gateways[fed->gateway_count];
    char name[16];

    ck_assert_uint_lt(fed->gateway_count, FED_GATEWAYS_MAX);
    snprintf(name, sizeof(name), "gateway%zu", fed->gateway_count++);
    gateway->fed = fed;
    gateway->addr = ip_of(ip, 8443);
    gateway->host = base_sim_host_new(fed->sim, name, &gateway->addr, 1);
    gateway->net = base_sim_host_net(
        gateway->host, base_sim_host_env(gateway->host, "main"));
    fed_gateway_listen(gateway);
    return gateway;
}

void fed_gateway_cut(struct fed_gateway *gateway)
{
    fed_relays_close(gateway);
}

void fed_gateway_crash(struct fed_gateway *gateway)
{
    base_sim_host_crash(gateway->host);
    fed_relays_close(gateway);
    base_net_listener_close(gateway->net, gateway->listener);
    gateway->listener = NULL;
}

/* ---- a server ---- */

static int pick(void *ctx, const char *dc, const struct base_addr *avoid,
                struct base_addr *addr)
{
    struct fed_server *server = ctx;

    (void)dc;
    server->picks++;
    if (server->gateway == NULL)
        return RPC_ENOGATEWAY;
    *addr = server->gateway->addr;
    if (avoid != NULL && base_addr_equal(avoid, addr) &&
        server->second != NULL)
        *addr = server->second->addr;
    return 0;
}

static void report(void *ctx, const char *dc, const struct base_addr *addr,
                   int status)
{
    struct fed_server *server = ctx;

    (void)dc;
    (void)addr;
    server->reports_failed += status < 0;
}

static const struct rpc_gateway_ops gateway_ops = {
    .version = 2, .pick = pick, .report = report};

static void sink_readable(void *arg)
{
    struct fed_server *server = arg;

    base_buf_append(&server->sunk, base_stream_data(server->sink),
                    base_stream_len(server->sink));
    base_stream_consume(server->sink, base_stream_len(server->sink));
}

static void sink_closed(void *arg, int err)
{
    struct fed_server *server = arg;

    (void)err;
    server->sink_closed = true;
}

static const struct base_stream_events sink_events = {
    .on_readable = sink_readable, .on_closed = sink_closed};

static void accept_sink(void *arg, struct base_stream *stream,
                        const struct rpc_peer *peer)
{
    struct fed_server *server = arg;

    (void)peer;
    if (server->sink != NULL)
        base_stream_close(server->sink);
    server->sink = stream;
    server->sink_closed = false;
    server->sinks++;
    base_stream_set_events(stream, &sink_events, server);
}

static void accept_packets(void *arg, struct base_stream *stream,
                           const struct rpc_peer *peer)
{
    struct fed_server *server = arg;

    wanfed_accept_packets(server->wan, stream, peer);
}

static void accept_stream(void *arg, struct base_stream *stream,
                          const struct rpc_peer *peer)
{
    struct fed_server *server = arg;

    wanfed_accept_stream(server->wan, stream, peer);
}

static void open_port(struct fed_server *server, unsigned flags)
{
    char full[254];
    char any[254];
    const char *names[] = {full, any, NULL};
    struct rpc_sim_secure_config secure = {.ca = "ca",
                                           .names = names,
                                           .verify_incoming = true,
                                           .verify_outgoing = true};
    struct rpc_listener_config listener = {.addr = server->addr,
                                           .datacenter = server->dc,
                                           .domain = "consul",
                                           .verify_incoming = true,
                                           .federation = true};

    rpc_server_name(full, server->node, server->dc, "consul");
    rpc_server_name(any, "", server->dc, "consul");
    ck_assert_int_eq(rpc_sim_secure_new(server->env, &secure, &server->secure),
                     0);
    server->table = rpc_sim_secure_table(server->secure);
    listener.addr.port = 8300;
    listener.secure = &server->table;
    ck_assert_int_eq(rpc_listener_new(server->env, server->net, &listener,
                                      &server->listener),
                     0);
    rpc_listener_handle(server->listener, RPC_PROTOCOL_GOSSIP_PACKET,
                        flags & FED_GOSSIPS ? accept_packets : accept_sink,
                        server);
    rpc_listener_handle(server->listener, RPC_PROTOCOL_GOSSIP_STREAM,
                        accept_stream, server);
}

static void open_dialer(struct fed_server *server)
{
    struct rpc_dialer_config dialer = {.datacenter = server->dc,
                                       .domain = "consul",
                                       .secure = &server->table,
                                       .federation = true,
                                       .verify_server_hostname = true,
                                       .gateways = &gateway_ops,
                                       .gateways_ctx = server};

    ck_assert_int_eq(rpc_dialer_new(server->env, server->net, &dialer,
                                    &server->dialer),
                     0);
}

static void open_gossip(struct fed_server *server, unsigned flags,
                        const struct wanfed_config *limits)
{
    struct wanfed_config wan = limits != NULL ? *limits
                                              : (struct wanfed_config){0};
    struct gossip_memberlist_config config = {
        .name = server->name,
        .params = gossip_params_wan,
        .require_node_names = true,
        .subsystem = "gossip.wan",
    };
    struct base_addr bind = server->addr;

    bind.port = 8302;
    config.advertise = bind;
    ck_assert_int_eq(
        gossip_net_transport_new(server->net, &bind, &server->inner), 0);
    wan.datacenter = server->dc;
    wan.inner = gossip_net_transport_ops(server->inner);
    wan.dialer = server->dialer;
    ck_assert_int_eq(wanfed_transport_new(server->env, &wan, &server->wan), 0);
    if (!(flags & FED_GOSSIPS))
        return;
    config.transport = wanfed_transport_ops(server->wan);
    ck_assert_int_eq(
        gossip_memberlist_new(server->env, &config, &server->memberlist), 0);
    wanfed_transport_attach(server->wan, server->memberlist);
    gossip_net_transport_attach(server->inner, server->memberlist);
}

struct fed_server *fed_add_server(struct fed *fed, const char *name,
                                  const char *ip, struct fed_gateway *gateway,
                                  unsigned flags,
                                  const struct wanfed_config *limits)
{
    struct fed_server *server = &fed->servers[fed->server_count++];

    ck_assert_uint_le(fed->server_count, FED_SERVERS_MAX);
    ck_assert(wanfed_name_split(name, server->node, server->dc));
    server->fed = fed;
    server->name = name;
    server->gateway = gateway;
    server->addr = ip_of(ip, 0);
    server->host = base_sim_host_new(fed->sim, name, &server->addr, 1);
    server->env = base_sim_host_env(server->host, "main");
    server->metrics = base_metrics_new();
    server->env->metrics = server->metrics;
    server->net = base_sim_host_net(server->host, server->env);
    open_port(server, flags);
    open_dialer(server);
    open_gossip(server, flags, limits);
    return server;
}

void fed_server_crash(struct fed_server *server)
{
    base_sim_host_crash(server->host);
    server_close(server);
}

/* ---- looking ---- */

void fed_run_ms(struct fed *fed, uint64_t ms)
{
    base_sim_run_for_ms(fed->sim, ms);
}

uint64_t fed_counter(const struct fed_server *server, const char *name,
                     const char *key, const char *value)
{
    return base_counter_value(
        base_metrics_counter(server->metrics, name, key, value));
}

int fed_send(struct fed_server *from, const char *to, const char *text)
{
    struct gossip_transport out = wanfed_transport_ops(from->wan);
    struct gossip_peer peer = {.name = to};

    return out.ops->send_packet(out.ctx, &peer, text, strlen(text));
}

char *fed_sunk(struct fed_server *server)
{
    struct base_buf out = BASE_BUF_INIT;
    struct wanfed_frame frame;

    while (wanfed_frame_read(base_buf_data(&server->sunk),
                             base_buf_len(&server->sunk),
                             &frame) == WANFED_FRAME_WHOLE) {
        if (base_buf_len(&out) > 0)
            base_buf_append_u8(&out, '|');
        base_buf_append(&out, frame.packet, frame.packet_len);
        base_buf_consume(&server->sunk, frame.bytes);
    }
    ck_assert_uint_eq(base_buf_len(&server->sunk), 0);
    return base_buf_take_string(&out);
}

int fed_sees(struct fed_server *server, const char *name)
{
    struct gossip_node node;

    if (!gossip_memberlist_find(server->memberlist, name, &node))
        return -1;
    return (int)node.state;
}
