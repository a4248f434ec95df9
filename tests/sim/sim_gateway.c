/*
 * A gateway host: the real proxy, and a feeder that keeps its routes true by
 * blocking queries to a server of its datacenter, as the daemon's does by HTTP.
 * It registers itself in the catalog through the same connection.
 */
#include <assert.h>
#include <stdio.h>
#include <string.h>

#include "base/alloc.h"
#include "base/pb.h"
#include "daemon/server.pb-c.h"
#include "fedstate/model.h"
#include "gateway/proxy.h"
#include "rpc/pool.h"
#include "sim/federation_internal.h"

#define WAIT_MS 60000u
#define GAP_MS 50u /* as the real one: gateway/watch.c */
#define RETRY_MS 200u
/* An agent compares what it registered with the catalog now and then. */
#define REGISTER_MS 10000u
#define SITES_MAX FEDERATION_DCS_MAX
#define SITE_GATEWAYS_MAX 16

enum { WATCH_SERVERS, WATCH_SITES, WATCH_COUNT };

struct site {
    char dc[16];
    struct base_addr gateways[SITE_GATEWAYS_MAX];
    size_t count;
};

struct sim_gateway {
    struct sim_dc *dc;
    struct base_sim_host *host;
    struct base_env *env;
    char node[32];
    struct base_addr lan, wan;
    struct rpc_sim_secure *secure;
    struct rpc_secure table;
    struct rpc_dialer *dialer;
    struct rpc_pool *pool;
    struct proxy *proxy; /* NULL once it is broken */
    struct broken *broken;
    size_t asked; /* which server is asked next */

    struct rpc_pending *registering;
    struct base_timer register_timer;
    struct watching {
        struct sim_gateway *gateway;
        struct rpc_pending *pending;
        struct base_timer retry;
        uint64_t index;
    } watching[WATCH_COUNT];

    struct routes_server servers[FEDERATION_SERVERS_MAX];
    char server_nodes[FEDERATION_SERVERS_MAX][64];
    size_t server_count;
    struct site sites[SITES_MAX];
    size_t site_count;
};

static void update_routes(struct sim_gateway *gateway)
{
    struct routes_site sites[SITES_MAX];
    struct routes_input input = {.datacenter = gateway->dc->name,
                                 .domain = SIM_DOMAIN,
                                 .expose_servers = true,
                                 .servers = gateway->servers,
                                 .server_count = gateway->server_count,
                                 .sites = sites,
                                 .site_count = gateway->site_count};
    size_t i;

    for (i = 0; i < gateway->site_count; i++)
        sites[i] = (struct routes_site){gateway->sites[i].dc,
                                        gateway->sites[i].gateways,
                                        gateway->sites[i].count};
    input.self[0] = gateway->lan;
    input.self[1] = gateway->wan;
    if (gateway->proxy)
        proxy_set_routes(gateway->proxy, routes_new(&input));
}

static void take_servers(struct sim_gateway *gateway,
                         const Server__QueryReply *reply)
{
    size_t i;

    gateway->server_count = 0;
    for (i = 0; i < reply->n_instances; i++) {
        size_t at = gateway->server_count;

        if (at == FEDERATION_SERVERS_MAX ||
            base_addr_parse_ip(&gateway->servers[at].addr,
                               reply->instances[i]->node->address) != 0)
            continue;
        gateway->servers[at].addr.port =
            (uint16_t)reply->instances[i]->service->port;
        snprintf(gateway->server_nodes[at], sizeof(gateway->server_nodes[at]),
                 "%s", reply->instances[i]->node->node);
        gateway->servers[at].node = gateway->server_nodes[at];
        gateway->server_count++;
    }
}

static void take_sites(struct sim_gateway *gateway,
                       const Server__QueryReply *reply)
{
    size_t i, j;

    gateway->site_count = 0;
    for (i = 0; i < reply->n_gateways && gateway->site_count < SITES_MAX; i++) {
        struct site *site = &gateway->sites[gateway->site_count++];

        snprintf(site->dc, sizeof(site->dc), "%s",
                 reply->gateways[i]->datacenter);
        site->count = 0;
        for (j = 0; j < reply->gateways[i]->n_nodes; j++) {
            const Fedstate__CheckServiceNode *node =
                reply->gateways[i]->nodes[j];

            if (site->count < SITE_GATEWAYS_MAX && fedstate_gateway_usable(node) &&
                fedstate_gateway_addr(node, true, &site->gateways[site->count]))
                site->count++;
        }
    }
}

/* Some server of our datacenter, another one each time. */
static int call(struct sim_gateway *gateway, const char *method,
                const void *message, uint32_t timeout_ms, rpc_done_fn done,
                void *arg, struct rpc_pending **out)
{
    struct sim_server *server =
        gateway->dc->servers[gateway->asked++ % gateway->dc->server_count];
    struct rpc_target target = {.dc = gateway->dc->name, .node = server->node,
                                .addr = server->addr};
    struct rpc_request request = {.method = method, .timeout_ms = timeout_ms};
    struct base_buf body = BASE_BUF_INIT;
    int rv;

    target.addr.port = 8300;
    base_pb_pack(message, &body);
    request.body = base_buf_data(&body);
    request.body_len = base_buf_len(&body);
    rv = rpc_pool_call(gateway->pool, &target, &request, done, arg, out);
    base_buf_close(&body);
    return rv;
}

static void watch_again(void *arg);

static void on_answer(void *arg, int status, const char *text, const void *body,
                      size_t len)
{
    struct watching *watching = arg;
    struct sim_gateway *gateway = watching->gateway;
    Server__QueryReply *reply = NULL;

    (void)text;
    watching->pending = NULL;
    if (status == 0)
        reply = base_pb_unpack(&server__query_reply__descriptor, body, len,
                               base_pb_budget(len));
    if (reply == NULL) {
        base_timer_start_ms(&watching->retry, RETRY_MS);
        return;
    }
    watching->index = reply->index;
    if (watching == &gateway->watching[WATCH_SERVERS])
        take_servers(gateway, reply);
    else
        take_sites(gateway, reply);
    base_pb_free(reply);
    update_routes(gateway);
    base_timer_start_ms(&watching->retry, GAP_MS);
}

static void watch_again(void *arg)
{
    struct watching *watching = arg;
    struct sim_gateway *gateway = watching->gateway;
    bool servers = watching == &gateway->watching[WATCH_SERVERS];
    Server__Query query = SERVER__QUERY__INIT;

    query.min_index = watching->index;
    query.max_wait_ms = WAIT_MS;
    if (servers) {
        query.name = (char *)"consul";
        query.passing = true;
    }
    if (call(gateway,
             servers ? "Health.Service" : "FederationState.ListMeshGateways",
             &query, WAIT_MS * 2, on_answer, watching, &watching->pending) != 0)
        base_timer_start_ms(&watching->retry, RETRY_MS);
}

static void on_registered(void *arg, int status, const char *text,
                          const void *body, size_t len)
{
    struct sim_gateway *gateway = arg;

    (void)text;
    (void)body;
    (void)len;
    gateway->registering = NULL;
    base_timer_start_ms(&gateway->register_timer,
                        status != 0 ? RETRY_MS : REGISTER_MS);
}

static void try_register(void *arg)
{
    struct sim_gateway *gateway = arg;
    Server__Write write = SERVER__WRITE__INIT;
    Server__Register record = SERVER__REGISTER__INIT;
    Fedstate__Node node = FEDSTATE__NODE__INIT;
    Fedstate__Service service = FEDSTATE__SERVICE__INIT;
    Fedstate__Service *services[] = {&service};
    Fedstate__Pair meta = FEDSTATE__PAIR__INIT;
    Fedstate__Pair *metas[] = {&meta};
    Fedstate__ServiceAddress at = FEDSTATE__SERVICE_ADDRESS__INIT;
    Fedstate__TaggedAddress wan = FEDSTATE__TAGGED_ADDRESS__INIT;
    Fedstate__TaggedAddress *tagged[] = {&wan};
    char lan_ip[BASE_ADDR_TEXT_MAX], wan_ip[BASE_ADDR_TEXT_MAX];

    node.node = gateway->node;
    node.datacenter = gateway->dc->name;
    node.address = (char *)base_addr_format_ip(&gateway->lan, lan_ip);
    service.kind = (char *)FEDSTATE_KIND_GATEWAY;
    service.id = service.service = (char *)FEDSTATE_KIND_GATEWAY;
    service.address = node.address;
    service.port = gateway->lan.port;
    at.address = (char *)base_addr_format_ip(&gateway->wan, wan_ip);
    at.port = gateway->wan.port;
    wan.tag = (char *)"wan";
    wan.address = &at;
    service.tagged_addresses = tagged;
    service.n_tagged_addresses = 1;
    meta.key = (char *)FEDSTATE_META_FEDERATION;
    meta.value = (char *)"1";
    service.meta = metas;
    service.n_meta = 1;
    record.node = &node;
    record.services = services;
    record.n_services = 1;
    write.register_ = &record;
    if (call(gateway, "Catalog.Register", &write, 10000, on_registered, gateway,
             &gateway->registering) != 0)
        base_timer_start_ms(&gateway->register_timer, RETRY_MS);
}

/* ---- in place of the proxy ------------------------------------------------ */

#define HELD_MAX 4096

/* Listens where the proxy did, and resets or holds whatever comes. */
struct broken {
    enum sim_gateway_fault fault;
    struct base_net *net;
    struct base_listener *listeners[2];
    struct base_stream *held[HELD_MAX];
    size_t held_count;
};

static void on_accept(void *arg, struct base_stream *stream)
{
    struct broken *broken = arg;

    if (broken->fault == SIM_GATEWAY_RESETS || broken->held_count == HELD_MAX)
        base_stream_close(stream);
    else
        broken->held[broken->held_count++] = stream;
}

static void broken_free(struct broken *broken)
{
    size_t i;

    if (broken == NULL)
        return;
    for (i = 0; i < 2; i++)
        base_net_listener_close(broken->net, broken->listeners[i]);
    for (i = 0; i < broken->held_count; i++)
        base_stream_close(broken->held[i]);
    base_free(broken);
}

void sim_gateway_break(struct sim_gateway *gateway,
                       enum sim_gateway_fault fault)
{
    const struct base_addr at[] = {gateway->lan, gateway->wan};
    struct broken *broken;
    size_t i;

    assert(gateway->proxy != NULL);
    proxy_free(gateway->proxy);
    gateway->proxy = NULL;
    BASE_NEW(broken);
    broken->fault = fault;
    broken->net = base_sim_host_net(gateway->host, gateway->env);
    for (i = 0; i < BASE_COUNT_OF(at); i++) {
        int rv = base_net_listen(broken->net, &at[i], on_accept, broken,
                                 &broken->listeners[i]);

        assert(rv == 0);
    }
    gateway->broken = broken;
}

/* ---- life ---- */

struct sim_gateway *sim_gateway_new(struct sim_dc *dc)
{
    struct federation *f = dc->federation;
    static const char *const names[] = {"client.consul", NULL};
    struct rpc_sim_secure_config secure = {.ca = "simulated CA",
                                           .names = names,
                                           .verify_outgoing = true};
    struct sim_gateway *gateway;
    struct proxy_config proxy = {0};
    struct rpc_dialer_config dialer = {.datacenter = dc->name,
                                       .domain = SIM_DOMAIN,
                                       .verify_server_hostname = true};
    struct rpc_pool_config pool = {0};
    struct base_addr addrs[2];
    struct base_net *net;
    unsigned number = ++dc->gateways_made;
    int rv, i;

    BASE_NEW(gateway);
    gateway->dc = dc;
    snprintf(gateway->node, sizeof(gateway->node), "gateway%u", number);
    gateway->lan = addrs[0] = sim_addr(dc->number, 1, number, 8443);
    gateway->wan = addrs[1] = sim_addr(dc->number, 2, number, 8443);
    gateway->host = base_sim_host_new(f->world, gateway->node, addrs, 2);
    sim_register_host(f, gateway->host, dc, NULL);
    gateway->env = base_sim_host_env(gateway->host, "gateway");
    net = base_sim_host_net(gateway->host, gateway->env);
    proxy.env = gateway->env;
    proxy.net = net;
    proxy.listen[0] = gateway->lan;
    proxy.listen[1] = gateway->wan;
    proxy.from_lan = gateway->lan;
    proxy.from_wan = gateway->wan;
    rv = proxy_new(&proxy, &gateway->proxy, NULL);
    assert(rv == 0);
    rv = rpc_sim_secure_new(gateway->env, &secure, &gateway->secure);
    assert(rv == 0);
    gateway->table = rpc_sim_secure_table(gateway->secure);
    dialer.secure = &gateway->table;
    rv = rpc_dialer_new(gateway->env, net, &dialer, &gateway->dialer);
    assert(rv == 0);
    rv = rpc_pool_new(gateway->env, gateway->dialer, &pool, &gateway->pool);
    assert(rv == 0);
    base_timer_init(&gateway->register_timer, gateway->env, "register",
                    try_register, gateway);
    for (i = 0; i < WATCH_COUNT; i++) {
        gateway->watching[i].gateway = gateway;
        base_timer_init(&gateway->watching[i].retry, gateway->env, "routes",
                        watch_again, &gateway->watching[i]);
        watch_again(&gateway->watching[i]);
    }
    try_register(gateway);
    return gateway;
}

struct sim_dc *sim_gateway_dc(const struct sim_gateway *gateway)
{
    return gateway->dc;
}

struct base_addr sim_gateway_wan(const struct sim_gateway *gateway)
{
    return gateway->wan;
}

void sim_gateway_unplug(struct sim_gateway *gateway)
{
    sim_unplug(gateway->dc->federation, gateway->host);
}

void sim_gateway_free(struct sim_gateway *gateway)
{
    int i;

    base_sim_host_crash(gateway->host);
    for (i = 0; i < WATCH_COUNT; i++) {
        if (gateway->watching[i].pending)
            rpc_pending_cancel(gateway->watching[i].pending);
        base_timer_stop(&gateway->watching[i].retry);
    }
    if (gateway->registering)
        rpc_pending_cancel(gateway->registering);
    base_timer_stop(&gateway->register_timer);
    rpc_pool_free(gateway->pool);
    rpc_dialer_free(gateway->dialer);
    if (gateway->proxy)
        proxy_free(gateway->proxy);
    broken_free(gateway->broken);
    rpc_sim_secure_free(gateway->secure);
    sim_deregister(gateway->dc, gateway->node);
    base_free(gateway);
}
