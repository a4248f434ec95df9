/*
 * The composition of a client. client_new() reads from top to bottom: who can
 * be asked, how, by whom; and the pool that tells of it all.
 */
#include "client/client.h"

#include <string.h>
#include <strings.h>

#include "base/alloc.h"
#include "base/pb.h"
#include "client/passing.h"
#include "daemon/server.pb-c.h"
#include "gossip/net_transport.h"
#include "server/strerror.h"

/* As of servers: a call that met a dead one still reaches another in time. */
#define DIAL_TIMEOUT_MS 3000u
#define REBALANCE_MS 120000u
#define PING_TIMEOUT_MS 3000u
#define TEXT(number) TEXT_OF(number)
#define TEXT_OF(number) #number

struct client {
    struct client_config config; /* its strings are ours */
    struct base_env *env;        /* the main loop's */
    struct base_log log;
    struct rpc_dialer *dialer;
    struct rpc_pool *calls;
    struct rpc_server *rpc;
    struct servers servers;
    struct passing *passing;
    struct gossip_net_transport *lan_net;
    struct pool *lan;
    struct event_log events;
    struct base_timer rebalance;
    struct rpc_pending *ping;
    char pinged[64]; /* id of the server that was asked */
};

/* ---- what the pool tells -------------------------------------------------- */

static void on_member(void *ctx, enum gossip_event_kind kind,
                      const struct member *member)
{
    struct client *client = ctx;
    struct member_server server;

    base_log(&client->log, BASE_LOG_INFO, gossip_event_kind_name(kind),
             kv_str("member", member->name),
             kv_addr("address", &member->addr));
    if (!member_as_server(member, &server) ||
        strcasecmp(server.dc, client->config.datacenter) != 0)
        return;
    if (member->status == GOSSIP_MEMBER_ALIVE) {
        servers_put(&client->servers, &server);
        return;
    }
    servers_remove(&client->servers, server.id);
    rpc_pool_forget(client->calls, server.dc, server.node);
    /* One that leaves still answers what it has. */
    if (kind == GOSSIP_EVENT_MEMBER_FAILED)
        passing_lost(client->passing, server.id);
}

static void on_user(void *ctx, const struct gossip_event *event)
{
    struct client *client = ctx;

    event_log_add(&client->events, event);
}

/* ---- now and then another server ------------------------------------------ */

static void rebalance_later(struct client *client)
{
    uint64_t jitter = base_env_random_below(client->env, REBALANCE_MS / 2);

    base_timer_start_ms(&client->rebalance, REBALANCE_MS + (uint32_t)jitter);
}

/* One that does not answer is left for its own failure to be noticed. */
static void on_pong(void *arg, int status, const char *text, const void *body,
                    size_t len)
{
    struct client *client = arg;

    (void)text;
    (void)body;
    (void)len;
    client->ping = NULL;
    if (status == 0)
        servers_prefer(&client->servers, client->pinged);
}

static void on_rebalance(void *arg)
{
    struct client *client = arg;
    const struct known_server *other = servers_other(&client->servers);
    struct base_buf body = BASE_BUF_INIT;
    Server__Query query = SERVER__QUERY__INIT;
    struct rpc_request request = {.method = "Status.Leader",
                                  .timeout_ms = PING_TIMEOUT_MS};

    rebalance_later(client);
    if (other == NULL || client->ping)
        return;
    memcpy(client->pinged, other->id, sizeof(client->pinged));
    base_pb_pack(&query, &body);
    request.body = base_buf_data(&body);
    request.body_len = base_buf_len(&body);
    if (rpc_pool_call(client->calls,
                      &(struct rpc_target){.dc = client->config.datacenter,
                                           .node = other->node,
                                           .addr = other->addr},
                      &request, on_pong, client, &client->ping) != 0)
        client->ping = NULL;
    base_buf_close(&body);
}

/* ---- making the parts ----------------------------------------------------- */

static const char *copy(const char *text)
{
    return text ? base_strdup(text) : NULL;
}

static void copy_strings(struct client_config *config)
{
    config->node = copy(config->node);
    config->node_id = copy(config->node_id);
    config->datacenter = copy(config->datacenter);
    config->domain = copy(config->domain);
    config->build = copy(config->build);
    config->lan_snapshot = copy(config->lan_snapshot);
    config->lan_keyring_path = copy(config->lan_keyring_path);
}

static void free_strings(struct client_config *config)
{
    base_free((char *)config->node);
    base_free((char *)config->node_id);
    base_free((char *)config->datacenter);
    base_free((char *)config->domain);
    base_free((char *)config->build);
    base_free((char *)config->lan_snapshot);
    base_free((char *)config->lan_keyring_path);
}

static int make_rpc(struct client *client)
{
    const struct client_config *config = &client->config;
    struct rpc_dialer_config dialer = {
        .datacenter = config->datacenter,
        .domain = config->domain,
        .secure = config->main.secure.ops ? &config->main.secure : NULL,
        .verify_server_hostname = config->verify_server_hostname,
        .from = config->bind_ip,
    };
    struct rpc_pool_config pool = {.dial_timeout_ms = DIAL_TIMEOUT_MS};
    struct rpc_server_config methods = {.datacenter = config->datacenter,
                                        .domain = config->domain};
    struct passing_config passing = {.env = client->env,
                                     .servers = &client->servers,
                                     .datacenter = config->datacenter};
    int rv;

    if (base_addr_is_any(&dialer.from))
        dialer.from.family = 0;
    rv = rpc_dialer_new(client->env, config->main.net, &dialer,
                        &client->dialer);
    if (rv == 0)
        rv = rpc_pool_new(client->env, client->dialer, &pool, &client->calls);
    if (rv == 0)
        rv = rpc_server_new(client->env, &methods, &client->rpc);
    if (rv != 0)
        return rv;
    passing.rpc = client->rpc;
    passing.calls = client->calls;
    client->passing = passing_new(&passing);
    return 0;
}

static void fill_rules(const struct client_config *config,
                       struct merge_rules *rules)
{
    memset(rules, 0, sizeof(*rules));
    rules->env = config->gossip.env;
    strncpy(rules->datacenter, config->datacenter,
            sizeof(rules->datacenter) - 1);
    strncpy(rules->own_name, config->node, sizeof(rules->own_name) - 1);
    strncpy(rules->own_id, config->node_id, sizeof(rules->own_id) - 1);
}

static int make_lan(struct client *client)
{
    const struct client_config *config = &client->config;
    struct gossip_tag tags[] = {
        {"role", MEMBER_ROLE_CLIENT}, {"dc", config->datacenter},
        {"id", config->node_id},      {"vsn", TEXT(MEMBER_VERSION)},
        {"vsn_min", TEXT(MEMBER_VERSION_MIN)},     {"vsn_max", TEXT(MEMBER_VERSION_MAX)},
        {"build", config->build},
    };
    struct pool_config pool = {
        .main = client->env,
        .gossip = config->gossip.env,
        .default_port = config->serf_lan_port,
        .on_member = on_member,
        .on_user = on_user,
        .build = config->build,
        .ctx = client,
        .serf = {.name = config->node,
                 .advertise = config->advertise_ip,
                 .tags = tags,
                 .tag_count = BASE_COUNT_OF(tags),
                 .params = config->lan_params,
                 .keyring = config->lan_keyring,
                 .transport = gossip_net_transport_ops(client->lan_net),
                 .subsystem = "gossip.lan",
                 .snapshot_path = config->lan_snapshot,
                 .keyring_path = config->lan_keyring_path,
                 .rejoin_after_leave = config->rejoin_after_leave},
    };
    int rv;

    pool.serf.advertise.port = config->serf_lan_port;
    fill_rules(config, &pool.rules);
    rv = pool_new(&pool, &client->lan);
    if (rv == 0)
        gossip_net_transport_attach(client->lan_net,
                                    pool_memberlist(client->lan));
    return rv;
}

int client_new(const struct client_config *config, struct client **out,
               char **why)
{
    struct client *client;
    struct base_addr at = config->bind_ip;
    char text[BASE_ADDR_TEXT_MAX];
    int rv;

    *why = NULL;
    BASE_NEW(client);
    client->config = *config;
    copy_strings(&client->config);
    client->env = config->main.env;
    client->log = base_log_named(&client->env->log, "client");
    client->servers.env = client->env;
    base_timer_init(&client->rebalance, client->env, "rebalance", on_rebalance,
                    client);
    rv = make_rpc(client);
    if (rv == 0) {
        at.port = config->serf_lan_port;
        rv = gossip_net_transport_new(config->gossip.net, &at,
                                      &client->lan_net);
        if (rv != 0)
            *why = base_asprintf("LAN gossip port %s: %s",
                                 base_addr_format(&at, text),
                                 server_strerror(rv));
    }
    if (rv == 0)
        rv = make_lan(client);
    if (rv != 0) {
        if (*why == NULL)
            *why = base_asprintf("client cannot start: %s",
                                 server_strerror(rv));
        client_free(client);
        return rv;
    }
    rebalance_later(client);
    *out = client;
    return 0;
}

void client_free(struct client *client)
{
    if (client == NULL)
        return;
    base_timer_stop(&client->rebalance);
    pool_free(client->lan);
    if (client->lan_net)
        gossip_net_transport_free(client->lan_net);
    if (client->ping)
        rpc_pending_cancel(client->ping);
    passing_free(client->passing);
    if (client->rpc)
        rpc_server_free(client->rpc);
    if (client->calls)
        rpc_pool_free(client->calls);
    if (client->dialer)
        rpc_dialer_free(client->dialer);
    event_log_close(&client->events);
    free_strings(&client->config);
    base_free(client);
}

/* ---- what the agent asks -------------------------------------------------- */

struct core client_core(struct client *client)
{
    return (struct core){.datacenter = client->config.datacenter,
                         .rpc = client->rpc,
                         .lan = client->lan,
                         .events = &client->events,
                         .client = client};
}

int client_leave(struct client *client, void (*done)(void *arg, int status),
                 void *arg)
{
    return pool_leave(client->lan, done, arg);
}

size_t client_server_count(const struct client *client)
{
    return client->servers.count;
}
