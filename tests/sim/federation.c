/* Hosts, links, boots and crashes; questions to the whole. */
#include "sim/federation.h"

#include <assert.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "base/alloc.h"
#include "rpc/protocol.h"
#include "server/uuid.h"
#include "sim/federation_internal.h"

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

static const char *primary_of(const struct sim_dc *dc)
{
    return dc->primary ? dc->primary : dc->federation->dcs[0].name;
}

static void boot_joins(struct sim_server *server, struct base_env *env)
{
    struct federation *f = server->dc->federation;
    struct joins_config config = {.core = server_core(server->server),
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
        config.placeholder_dc = primary_of(server->dc);
    }
    server->joins = joins_new(env, &config);
}

void sim_server_boot(struct sim_server *server)
{
    struct base_env *main_env = base_sim_host_env(server->host, "main");
    struct base_env *gossip_env = base_sim_host_env(server->host, "gossip");
    struct server_config config = {
        .main = {main_env, base_sim_host_net(server->host, main_env), {0}},
        .gossip = {gossip_env, base_sim_host_net(server->host, gossip_env),
                   {0}},
        .node = server->node,
        .node_id = server->id,
        .datacenter = server->dc->name,
        .primary_datacenter = primary_of(server->dc),
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
        .disable_primary_fallback = server->dc->never_direct,
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

static void new_id(struct sim_server *server)
{
    uint8_t random[16];
    size_t i;

    for (i = 0; i < sizeof(random); i++)
        random[i] = (uint8_t)base_sim_random_below(
            server->dc->federation->world, 256);
    uuid_format(random, server->id);
}

void sim_server_wipe(struct sim_server *server)
{
    assert(server->server == NULL);
    raft_memory_disk_free(server->disk);
    sim_stable_free(server->stable);
    server->disk = raft_memory_disk_new();
    server->stable = sim_stable_new();
    new_id(server);
}

void sim_server_shift_clock(struct sim_server *server, int64_t shift_ms)
{
    base_sim_host_shift_wall(server->host, shift_ms * 1000000);
}

struct joins *sim_server_joins(struct sim_server *server)
{
    return server->joins;
}

uint64_t sim_server_direct(const struct sim_server *server)
{
    return server->direct;
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
    char host[32];

    BASE_NEW(server);
    server->dc = dc;
    snprintf(server->node, sizeof(server->node), "server%zu", number);
    new_id(server);
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
    base_sim_set_link(f->world, sim_link_of, f);
    federation_wan_delay(f, 5000, 10000); /* 10 to 20 ms there and back */
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

/* The name of the primary's gateways, as an operator's DNS has it. */
static void publish(struct federation *f)
{
    struct base_addr addrs[SIM_GATEWAYS_MAX];
    size_t i;

    if (f->dns_held)
        return;
    for (i = 0; i < f->dcs[0].gateway_count; i++)
        addrs[i] = sim_gateway_wan(f->dcs[0].gateways[i]);
    base_sim_set_name(f->world, "primary-gateways", addrs,
                      f->dcs[0].gateway_count);
}

void federation_dns_follows(struct federation *f, bool on)
{
    f->dns_held = !on;
    publish(f);
}

static struct sim_gateway *add_gateway(struct sim_dc *dc)
{
    assert(dc->gateway_count < SIM_GATEWAYS_MAX);
    dc->gateways[dc->gateway_count++] = sim_gateway_new(dc);
    publish(dc->federation);
    return dc->gateways[dc->gateway_count - 1];
}

struct sim_gateway *federation_gateway_add(struct federation *f,
                                           const char *name)
{
    return add_gateway(sim_dc_of(f, name));
}

void federation_gateway_remove(struct sim_gateway *gateway)
{
    struct sim_dc *dc = sim_gateway_dc(gateway);
    size_t i = 0;

    while (dc->gateways[i] != gateway)
        i++;
    dc->gateways[i] = dc->gateways[--dc->gateway_count];
    sim_gateway_free(gateway);
    publish(dc->federation);
}

void federation_gateway_on(struct federation *f, const char *name)
{
    federation_gateway_add(f, name);
}

void federation_gateway_off(struct federation *f, const char *name)
{
    struct sim_dc *dc = sim_dc_of(f, name);

    while (dc->gateway_count > 0)
        federation_gateway_remove(dc->gateways[0]);
}

void federation_never_direct(struct federation *f, const char *name)
{
    sim_dc_of(f, name)->never_direct = true;
}

void federation_mistakes_primary(struct federation *f, const char *name,
                                 const char *primary)
{
    sim_dc_of(f, name)->primary = primary;
}

void federation_takes_name(struct federation *f, const char *name,
                           const char *as)
{
    struct sim_dc *dc = sim_dc_of(f, name);

    snprintf(dc->name, sizeof(dc->name), "%s", as);
}

void federation_start(struct federation *f)
{
    size_t i, j;

    for (i = 0; i < f->dc_count; i++) {
        for (j = 0; j < f->dcs[i].server_count; j++)
            sim_server_boot(f->dcs[i].servers[j]);
        add_gateway(&f->dcs[i]);
    }
}

void federation_free(struct federation *f)
{
    size_t i, j;

    for (i = 0; i < f->dc_count; i++) {
        for (j = 0; j < f->dcs[i].server_count; j++)
            if (f->dcs[i].servers[j]->server)
                sim_server_crash(f->dcs[i].servers[j]);
        while (f->dcs[i].gateway_count > 0)
            sim_gateway_free(f->dcs[i].gateways[--f->dcs[i].gateway_count]);
    }
    base_sim_free(f->world);
    sim_operator_free(f);
    if (f->sink)
        base_log_sink_free(f->sink);
    for (i = 0; i < f->dc_count; i++)
        for (j = 0; j < f->dcs[i].server_count; j++)
            sim_server_free(f->dcs[i].servers[j]);
    base_free(f);
}
