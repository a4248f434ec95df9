/* Hosts, links, boots and crashes; questions to the whole. */
#include "sim/federation.h"

#include <assert.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "base/alloc.h"
#include "base/pb.h"
#include "fedstate/model.h"
#include "server/internal.h"
#include "server/uuid.h"
#include "sim/federation_internal.h"

#define HOSTS_MAX BASE_COUNT_OF(((struct federation *)0)->hosts)

struct base_addr sim_addr(unsigned dc, unsigned net, unsigned number,
                          uint16_t port)
{
    const uint8_t ip[4] = {10, (uint8_t)dc, (uint8_t)net, (uint8_t)number};
    struct base_addr addr;

    base_addr_from_ip(&addr, ip, sizeof(ip), port);
    return addr;
}

/* ---- links ---------------------------------------------------------------- */

static const struct sim_host_entry *entry_of(const struct federation *f,
                                             const struct base_sim_host *host)
{
    size_t i;

    for (i = 0; i < f->host_count; i++)
        if (f->hosts[i].host == host)
            return &f->hosts[i];
    assert(!"a host of no datacenter");
    return NULL;
}

void sim_register_host(struct federation *f, const struct base_sim_host *host,
                       struct sim_dc *dc, struct sim_server *server)
{
    assert(f->host_count < HOSTS_MAX);
    f->hosts[f->host_count++] =
        (struct sim_host_entry){.host = host, .dc = dc, .server = server};
}

static void link_of(void *arg, const struct base_sim_host *from_host,
                    const struct base_sim_host *to_host,
                    struct base_sim_link *link)
{
    struct federation *f = arg;
    const struct sim_host_entry *from = entry_of(f, from_host);
    const struct sim_host_entry *to = entry_of(f, to_host);

    if (from->dc != to->dc) {
        link->delay_min_us = 5000; /* 10 to 20 ms there and back */
        link->delay_max_us = 10000;
        if (from->server && to->server) {
            f->violations++;
            link->up = false;
        }
    }
    if (from != to && ((from->server && from->server->cut) ||
                       (to->server && to->server->cut)))
        link->up = false;
}

/* ---- one server ----------------------------------------------------------- */

static int make_secure(struct sim_server *server, struct base_env *env,
                       struct rpc_sim_secure **out)
{
    char any[254], own[254];
    const char *names[] = {any, own, NULL};
    struct rpc_sim_secure_config config = {.ca = "simulated CA",
                                           .names = names,
                                           .verify_incoming = true,
                                           .verify_outgoing = true};

    rpc_server_name(any, "", server->dc->name, SIM_DOMAIN);
    rpc_server_name(own, server->node, server->dc->name, SIM_DOMAIN);
    return rpc_sim_secure_new(env, &config, out);
}

static void on_primary_ready(void *ctx)
{
    struct sim_server *server = ctx;

    if (server->joins)
        joins_primary_ready(server->joins);
}

static void on_fatal(void *ctx, const char *why)
{
    struct sim_server *server = ctx;

    base_sim_note(server->dc->federation->world, "%s.%s is finished: %s",
                  server->node, server->dc->name, why);
}

static void boot_joins(struct sim_server *server, struct base_env *env)
{
    struct federation *f = server->dc->federation;
    struct joins_config config = {.server = server->server,
                                  .lan_interval_ms = 1000,
                                  .wan_interval_ms = 1000,
                                  .primary_interval_ms = 1000};
    static const char *const gateway_names[] = {"primary-gateways:8443"};

    server->lan_target = base_asprintf("%s.lan", server->dc->name);
    config.lan = (const char *const *)&server->lan_target;
    config.lan_count = 1;
    if (server->dc != &f->dcs[0]) {
        config.primary_gateways = gateway_names;
        config.primary_gateway_count = 1;
        config.placeholder_dc = f->dcs[0].name;
    }
    server->joins = joins_new(env, &config);
}

void sim_server_boot(struct sim_server *server)
{
    struct federation *f = server->dc->federation;
    struct base_env *main_env = base_sim_host_env(server->host, "main");
    struct base_env *gossip_env = base_sim_host_env(server->host, "gossip");
    struct server_config config = {
        .main = {main_env, base_sim_host_net(server->host, main_env), {0}},
        .gossip = {gossip_env, base_sim_host_net(server->host, gossip_env),
                   {0}},
        .node = server->node,
        .node_id = server->id,
        .datacenter = server->dc->name,
        .primary_datacenter = f->dcs[0].name,
        .domain = SIM_DOMAIN,
        .build = "simulated",
        .bind_ip = server->addr,
        .advertise_ip = server->addr,
        .advertise_wan_ip = server->addr,
        .server_port = 8300,
        .serf_lan_port = 8301,
        .serf_wan_port = 8302,
        .bootstrap_expect = (uint32_t)server->dc->server_count,
        .lan_params = gossip_params_lan,
        .wan_params = gossip_params_wan,
        .federation = true,
        .verify_incoming = true,
        .verify_server_hostname = true,
        .on_primary_ready = on_primary_ready,
        .on_fatal = on_fatal,
        .ctx = server,
    };
    char *why = NULL;
    int rv;

    rv = make_secure(server, main_env, &server->main_secure);
    assert(rv == 0);
    rv = make_secure(server, gossip_env, &server->gossip_secure);
    assert(rv == 0);
    config.main.secure = rpc_sim_secure_table(server->main_secure);
    config.gossip.secure = rpc_sim_secure_table(server->gossip_secure);
    config.storage = raft_storage_memory_open(main_env, server->disk);
    config.stable = sim_stable_ops(server->stable, main_env);
    rv = server_new(&config, &server->server, &why);
    if (rv != 0)
        fprintf(stderr, "simulated server: %s\n", why);
    assert(rv == 0);
    boot_joins(server, main_env);
}

static void sim_server_stop(struct sim_server *server)
{
    if (server->server == NULL)
        return;
    joins_free(server->joins);
    server_free(server->server);
    rpc_sim_secure_free(server->main_secure);
    rpc_sim_secure_free(server->gossip_secure);
    base_free(server->lan_target);
    server->joins = NULL;
    server->server = NULL;
}

void sim_server_crash(struct sim_server *server)
{
    base_sim_host_crash(server->host);
    sim_server_stop(server);
}

struct server *sim_server_server(struct sim_server *server)
{
    return server->server;
}

void sim_server_cut(struct sim_server *server, bool is_cut)
{
    server->cut = is_cut;
}

static struct sim_server *sim_server_new(struct sim_dc *dc, size_t number)
{
    struct federation *f = dc->federation;
    struct sim_server *server;
    uint8_t random[16];
    char host[32];
    size_t i;

    BASE_NEW(server);
    server->dc = dc;
    snprintf(server->node, sizeof(server->node), "server%zu", number);
    for (i = 0; i < sizeof(random); i++)
        random[i] = (uint8_t)base_sim_random_below(f->world, 256);
    uuid_format(random, server->id);
    server->addr = sim_addr(dc->number, 0, (unsigned)number, 0);
    snprintf(host, sizeof(host), "%s.%s", server->node, dc->name);
    server->host = base_sim_host_new(f->world, host, &server->addr, 1);
    server->disk = raft_memory_disk_new();
    server->stable = sim_stable_new();
    sim_register_host(f, server->host, dc, server);
    return server;
}

static void sim_server_free(struct sim_server *server)
{
    raft_memory_disk_free(server->disk);
    sim_stable_free(server->stable);
    base_free(server);
}

/* ---- the federation ------------------------------------------------------- */

struct federation *federation_new(uint64_t seed)
{
    struct federation *f;

    BASE_NEW(f);
    f->world = base_sim_new(seed);
    /* VERBOSE=1 shows what the simulated servers log, in virtual time. */
    if (getenv("VERBOSE")) {
        f->sink = base_log_sink_fd(2, false);
        base_sim_set_log_sink(f->world, f->sink, BASE_LOG_DEBUG);
    }
    base_sim_set_link(f->world, link_of, f);
    return f;
}

void federation_log(struct federation *f, FILE *file)
{
    base_sim_set_log(f->world, file);
}

struct base_sim *federation_world(struct federation *f)
{
    return f->world;
}

static struct sim_dc *dc_of(struct federation *f, const char *name)
{
    size_t i;

    for (i = 0; i < f->dc_count; i++)
        if (strcmp(f->dcs[i].name, name) == 0)
            return &f->dcs[i];
    assert(!"no such datacenter");
    return NULL;
}

void federation_add(struct federation *f, const char *name, size_t server_count)
{
    struct sim_dc *dc = &f->dcs[f->dc_count++];
    struct base_addr addrs[FEDERATION_SERVERS_MAX];
    char lan[32];
    size_t i;

    assert(f->dc_count <= FEDERATION_DCS_MAX);
    assert(server_count <= FEDERATION_SERVERS_MAX);
    dc->federation = f;
    dc->number = (unsigned)f->dc_count;
    snprintf(dc->name, sizeof(dc->name), "%s", name);
    dc->server_count = server_count;
    for (i = 0; i < server_count; i++) {
        dc->servers[i] = sim_server_new(dc, i + 1);
        addrs[i] = dc->servers[i]->addr;
    }
    snprintf(lan, sizeof(lan), "%s.lan", dc->name);
    base_sim_set_name(f->world, lan, addrs, server_count);
}

void federation_gateway_on(struct federation *f, const char *name)
{
    struct sim_dc *dc = dc_of(f, name);

    assert(dc->gateway == NULL);
    dc->gateway = sim_gateway_new(dc);
    /* DNS of the primary's gateways follows, as an operator's would. */
    if (dc == &f->dcs[0])
        base_sim_set_name(f->world, "primary-gateways", &dc->gateway_wan, 1);
}

void federation_gateway_off(struct federation *f, const char *name)
{
    struct sim_dc *dc = dc_of(f, name);

    assert(dc->gateway != NULL);
    sim_gateway_free(dc->gateway);
    dc->gateway = NULL;
}

void federation_start(struct federation *f)
{
    size_t i, j;

    for (i = 0; i < f->dc_count; i++) {
        for (j = 0; j < f->dcs[i].server_count; j++)
            sim_server_boot(f->dcs[i].servers[j]);
        federation_gateway_on(f, f->dcs[i].name);
    }
}

void federation_free(struct federation *f)
{
    size_t i, j;

    for (i = 0; i < f->dc_count; i++) {
        for (j = 0; j < f->dcs[i].server_count; j++)
            if (f->dcs[i].servers[j]->server)
                sim_server_crash(f->dcs[i].servers[j]);
        if (f->dcs[i].gateway)
            sim_gateway_free(f->dcs[i].gateway);
    }
    base_sim_free(f->world);
    if (f->sink)
        base_log_sink_free(f->sink);
    for (i = 0; i < f->dc_count; i++)
        for (j = 0; j < f->dcs[i].server_count; j++)
            sim_server_free(f->dcs[i].servers[j]);
    base_free(f);
}

/* ---- users ---------------------------------------------------------------- */

static void on_read(void *arg, int status, const char *text, const void *body,
                    size_t len)
{
    struct federation *f = arg;
    Server__QueryReply *reply = NULL;

    (void)text;
    if (status == 0)
        reply = base_pb_unpack(&server__query_reply__descriptor, body, len,
                               base_pb_budget(len));
    if (reply && reply->n_nodes > 0)
        f->answers++;
    else
        f->failures++;
    base_pb_free(reply);
}

void federation_read(struct federation *f, struct sim_server *asked,
                     const char *dc)
{
    Server__Query query = SERVER__QUERY__INIT;
    struct rpc_request request = {.method = "Catalog.Nodes",
                                  .timeout_ms = 10000};
    struct base_buf body = BASE_BUF_INIT;

    query.datacenter = (char *)dc;
    base_pb_pack(&query, &body);
    request.body = base_buf_data(&body);
    request.body_len = base_buf_len(&body);
    if (rpc_server_call_local(server_rpc(asked->server), &request, on_read, f,
                              NULL) != 0)
        f->failures++;
    base_buf_close(&body);
}

uint64_t federation_answers(const struct federation *f)
{
    return f->answers;
}

uint64_t federation_failures(const struct federation *f)
{
    return f->failures;
}

/* ---- questions ------------------------------------------------------------ */

struct sim_server *federation_server(struct federation *f, const char *dc,
                                     size_t number)
{
    return dc_of(f, dc)->servers[number - 1];
}

struct sim_server *federation_leader(struct federation *f, const char *name)
{
    struct sim_dc *dc = dc_of(f, name);
    struct sim_server *leader = NULL;
    size_t i;

    for (i = 0; i < dc->server_count; i++) {
        if (dc->servers[i]->server == NULL ||
            !dc->servers[i]->server->is_leader)
            continue;
        if (leader)
            return NULL;
        leader = dc->servers[i];
    }
    return leader;
}

size_t federation_clusters(struct federation *f, const char *name)
{
    struct sim_dc *dc = dc_of(f, name);
    const char *seen[FEDERATION_SERVERS_MAX];
    size_t count = 0, i, j;

    for (i = 0; i < dc->server_count; i++) {
        const char *id;

        if (dc->servers[i]->server == NULL)
            continue;
        id = server_cluster_id(dc->servers[i]->server);
        for (j = 0; j < count; j++)
            if (strcmp(seen[j], id) == 0)
                break;
        if (j == count && *id != '\0')
            seen[count++] = id;
    }
    return count;
}

static bool sees_alive(const struct server *server, const struct sim_server *of)
{
    char name[64];
    const struct member *member;

    snprintf(name, sizeof(name), "%s.%s", of->node, of->dc->name);
    member = pool_find(server->wan, name);
    return member != NULL && member->status == GOSSIP_MEMBER_ALIVE;
}

static bool sees_all(struct federation *f, const struct server *server)
{
    size_t i, j;

    for (i = 0; i < f->dc_count; i++)
        for (j = 0; j < f->dcs[i].server_count; j++)
            if (f->dcs[i].servers[j]->server &&
                !sees_alive(server, f->dcs[i].servers[j]))
                return false;
    return true;
}

static bool has_states(struct federation *f, const struct server *server)
{
    struct base_addr wan;
    size_t i;

    for (i = 0; i < f->dc_count; i++) {
        const Fedstate__FederationState *state =
            fedstate_store_get(server->fsm.store, f->dcs[i].name);

        if (state == NULL || state->n_mesh_gateways != 1 ||
            !fedstate_gateway_addr(state->mesh_gateways[0], true, &wan) ||
            !base_addr_equal(&wan, &f->dcs[i].gateway_wan))
            return false;
    }
    return fedstate_store_count(server->fsm.store) == f->dc_count;
}

bool federation_is_whole(void *arg)
{
    struct federation *f = arg;
    size_t i, j;

    for (i = 0; i < f->dc_count; i++) {
        struct sim_server *leader = federation_leader(f, f->dcs[i].name);

        if (leader == NULL || !has_states(f, leader->server))
            return false;
        for (j = 0; j < f->dcs[i].server_count; j++)
            if (f->dcs[i].servers[j]->server &&
                !sees_all(f, f->dcs[i].servers[j]->server))
                return false;
    }
    return true;
}

bool federation_until(struct federation *f, bool (*done)(void *arg), void *arg,
                      uint64_t within_ms)
{
    return base_sim_run_until_true(f->world, done, arg, within_ms);
}

uint64_t federation_violations(const struct federation *f)
{
    return f->violations;
}
