/*
 * The composition: every library meets the others here, and only here. Read
 * server_new() from top to bottom: it is the paragraph that explains a server.
 */
#include "server/server.h"

#include <string.h>
#include <strings.h>

#include "base/alloc.h"
#include "base/error.h"
#include "base/pb.h"
#include "gossip/net_transport.h"
#include "server/forward.h"
#include "server/hear.h"
#include "server/internal.h"
#include "server/strerror.h"
#include "server/tags.h"

/* Short enough that a call which met a dead server still reaches another one
 * within the hold time (F12). */
#define DIAL_TIMEOUT_MS 3000u

void server_changed(struct server *server)
{
    if (server->changed)
        server->changed(server->changed_ctx);
}

bool server_is_primary(const struct server *server)
{
    return strcasecmp(server->config.datacenter,
                      server->config.primary_datacenter) == 0;
}

const char *server_cluster_id(const struct server *server)
{
    return raft_node_configuration(server->raft)->cluster_id;
}

/* ---- making the parts ----------------------------------------------------- */

static const char *copy(const char *text)
{
    return text ? base_strdup(text) : NULL;
}

static void copy_strings(struct server_config *config)
{
    config->node = copy(config->node);
    config->node_id = copy(config->node_id);
    config->datacenter = copy(config->datacenter);
    config->primary_datacenter = copy(config->primary_datacenter);
    config->domain = copy(config->domain);
    config->build = copy(config->build);
    config->lan_snapshot = copy(config->lan_snapshot);
    config->wan_snapshot = copy(config->wan_snapshot);
    config->lan_keyring_path = copy(config->lan_keyring_path);
    config->wan_keyring_path = copy(config->wan_keyring_path);
}

static void free_strings(struct server_config *config)
{
    base_free((char *)config->node);
    base_free((char *)config->node_id);
    base_free((char *)config->datacenter);
    base_free((char *)config->primary_datacenter);
    base_free((char *)config->domain);
    base_free((char *)config->build);
    base_free((char *)config->lan_snapshot);
    base_free((char *)config->wan_snapshot);
    base_free((char *)config->lan_keyring_path);
    base_free((char *)config->wan_keyring_path);
}

static const struct rpc_secure *secure_of(const struct server_loop *loop)
{
    return loop->secure.ops ? &loop->secure : NULL;
}

static int make_rpc(struct server *server)
{
    const struct server_config *config = &server->config;
    struct rpc_dialer_config dialer = {
        .datacenter = config->datacenter,
        .domain = config->domain,
        .secure = secure_of(&config->main),
        .federation = config->federation,
        .verify_server_hostname = config->verify_server_hostname,
        .from = config->bind_ip,
        .gateways = &wan_side_gateway_ops,
        .gateways_ctx = server->picker,
    };
    struct rpc_pool_config pool = {.dial_timeout_ms = DIAL_TIMEOUT_MS};
    struct rpc_server_config methods = {
        .datacenter = config->datacenter,
        .domain = config->domain,
        .check_names = config->main.secure.ops != NULL &&
                       config->verify_incoming,
    };
    int rv;

    if (base_addr_is_any(&dialer.from))
        dialer.from.family = 0;
    rv = rpc_dialer_new(server->env, config->main.net, &dialer,
                        &server->dialer);
    if (rv == 0)
        rv = rpc_pool_new(server->env, server->dialer, &pool, &server->calls);
    if (rv == 0)
        rv = rpc_server_new(server->env, &methods, &server->rpc);
    if (rv != 0)
        return rv;
    read_methods(server);
    place_methods(server);
    write_methods(server);
    operate_raft_methods(server);
    operate_state_methods(server);
    replicate_method(server);
    return 0;
}

static int make_raft(struct server *server)
{
    struct raft_link_config link = {
        .env = server->env,
        .dialer = server->dialer,
        .datacenter = server->config.datacenter,
        .receive = hear_raft_message,
        .locate = hear_locate,
        .ctx = server,
    };
    uint32_t stretch = server->config.raft_multiplier
                           ? server->config.raft_multiplier
                           : 1;
    struct raft_node_config raft = {
        .id = server->config.node_id,
        .storage = server->config.storage,
        .fsm = fsm_ops(&server->fsm),
        .election_timeout_ms = 1000 * stretch,
        .heartbeat_interval_ms = 100 * stretch,
        .lease_drift_ppm = server->config.raft_lease_drift_ppm,
        .on_state = hear_raft_state,
        .on_fatal = hear_raft_fatal,
        .ctx = server,
    };

    server->raft_link = raft_link_new(&link);
    raft.transport = raft_link_transport(server->raft_link);
    return raft_node_new(server->env, &raft, &server->raft);
}

static void on_rpc_multi(void *arg, struct base_stream *stream,
                         const struct rpc_peer *peer)
{
    rpc_server_accept_multi(arg, stream, peer);
}

static void on_rpc_single(void *arg, struct base_stream *stream,
                          const struct rpc_peer *peer)
{
    rpc_server_accept_single(arg, stream, peer);
}

static int make_listener(struct server *server)
{
    const struct server_config *config = &server->config;
    struct rpc_listener_config listener = {
        .addr = config->bind_ip,
        .datacenter = config->datacenter,
        .domain = config->domain,
        .secure = secure_of(&config->main),
        .verify_incoming = config->verify_incoming,
        .federation = config->federation,
        .handshake_timeout_ms = config->handshake_timeout_ms,
        .handshakes_max = config->handshakes_max,
        .connections_per_name = config->connections_per_name,
    };
    int rv;

    listener.addr.port = config->server_port;
    rv = rpc_listener_new(server->env, config->main.net, &listener,
                          &server->listener);
    if (rv != 0)
        return rv;
    rpc_listener_handle(server->listener, RPC_PROTOCOL_RAFT, raft_link_accept,
                        server->raft_link);
    rpc_listener_handle(server->listener, RPC_PROTOCOL_MULTI, on_rpc_multi,
                        server->rpc);
    rpc_listener_handle(server->listener, RPC_PROTOCOL_SINGLE, on_rpc_single,
                        server->rpc);
    if (config->federation) {
        rpc_listener_handle(server->listener, RPC_PROTOCOL_GOSSIP_PACKET,
                            wan_side_accept_packets, server->wan_side);
        rpc_listener_handle(server->listener, RPC_PROTOCOL_GOSSIP_STREAM,
                            wan_side_accept_stream, server->wan_side);
    }
    return 0;
}

static int make_locator(struct server *server)
{
    struct fedstate_locator_config locator = {
        .datacenter = server->config.datacenter,
        .primary_datacenter = server->config.primary_datacenter,
        .store = server->fsm.store,
        .disable_primary_fallback = server->config.disable_primary_fallback,
        .on_routes = hear_routes,
        .on_primary_ready = hear_primary_ready,
        .ctx = server,
    };

    return fedstate_locator_new(server->env, &locator, &server->locator);
}

static void pool_rules(const struct server *server, bool wan, const char *name,
                       struct merge_rules *rules)
{
    memset(rules, 0, sizeof(*rules));
    rules->env = server->config.gossip.env;
    rules->wan = wan;
    rules->allow_foreign = server->config.wan_allow_foreign;
    strncpy(rules->datacenter, server->config.datacenter,
            sizeof(rules->datacenter) - 1);
    strncpy(rules->own_name, name, sizeof(rules->own_name) - 1);
    strncpy(rules->own_id, server->config.node_id, sizeof(rules->own_id) - 1);
}

static int make_lan(struct server *server)
{
    const struct server_config *config = &server->config;
    struct server_tags tags;
    struct pool_config pool = {
        .main = server->env,
        .gossip = config->gossip.env,
        .default_port = config->serf_lan_port,
        .on_member = hear_lan_member,
        .on_user = hear_user_event,
        .build = config->build,
        .ctx = server,
        .serf = {.name = config->node,
                 .advertise = config->advertise_ip,
                 .params = config->lan_params,
                 .keyring = config->lan_keyring,
                 .transport = gossip_net_transport_ops(server->lan_net),
                 .subsystem = "gossip.lan",
                 .snapshot_path = config->lan_snapshot,
                 .keyring_path = config->lan_keyring_path,
                 .rejoin_after_leave = config->rejoin_after_leave},
    };
    int rv;

    server_tags_fill(&tags, config, false);
    pool.serf.advertise.port = config->serf_lan_port;
    pool.serf.tags = tags.tags;
    pool.serf.tag_count = tags.count;
    pool_rules(server, false, config->node, &pool.rules);
    rv = pool_new(&pool, &server->lan);
    if (rv == 0)
        gossip_net_transport_attach(server->lan_net,
                                    pool_memberlist(server->lan));
    return rv;
}

static int make_wan(struct server *server)
{
    const struct server_config *config = &server->config;
    char *name = base_asprintf("%s.%s", config->node, config->datacenter);
    struct server_tags tags;
    struct pool_config pool = {
        .main = server->env,
        .gossip = config->gossip.env,
        .default_port = config->serf_wan_port,
        .on_member = hear_wan_member,
        .on_arrival = hear_wan_arrival,
        .on_user = hear_user_event,
        .build = config->build,
        .ctx = server,
        .serf = {.name = name,
                 .advertise = config->advertise_wan_ip,
                 .params = config->wan_params,
                 .keyring = config->wan_keyring,
                 .transport = wan_side_transport(server->wan_side),
                 .require_node_names = config->federation,
                 .subsystem = "gossip.wan",
                 .snapshot_path = config->wan_snapshot,
                 .keyring_path = config->wan_keyring_path,
                 .rejoin_after_leave = config->rejoin_after_leave},
    };
    int rv;

    server_tags_fill(&tags, config, true);
    pool.serf.advertise.port = config->serf_wan_port;
    pool.serf.tags = tags.tags;
    pool.serf.tag_count = tags.count;
    pool_rules(server, true, name, &pool.rules);
    rv = pool_new(&pool, &server->wan);
    if (rv == 0)
        wan_side_attach(server->wan_side, pool_memberlist(server->wan));
    base_free(name);
    return rv;
}

static char *port_error(const char *what, const struct base_addr *ip,
                        uint16_t port, int rv)
{
    struct base_addr at = *ip;
    char text[BASE_ADDR_TEXT_MAX];

    at.port = port;
    return base_asprintf("%s %s: %s", what, base_addr_format(&at, text),
                         server_strerror(rv));
}

/* Our own gateways as the catalog has them: sooner than our record, which goes
 * to the primary and back first. */
static void tell_locator(struct server *server)
{
    size_t count, i;
    Fedstate__CheckServiceNode **gateways =
        catalog_gateways(&server->fsm.catalog, &count);

    fedstate_locator_set_catalog(server->locator, gateways, count);
    for (i = 0; i < count; i++)
        base_pb_free(gateways[i]);
    base_free(gateways);
}

/* The catalog moved: whoever compares it with something looks again. */
static void on_catalog(void *arg, enum watch_wake why)
{
    struct server *server = arg;
    struct watch *again;

    (void)why;
    tell_locator(server);
    leader_catalog_changed(server);
    if (watch_add(&server->fsm.catalog.watches, FEDSTATE_WAIT_MAX_MS, false,
                  on_catalog, server, &again) != 0)
        base_log(&server->log, BASE_LOG_ERROR,
                 "too many blocking queries: gateway changes go unnoticed "
                 "until the next leader");
}

int server_new(const struct server_config *config, struct server **out,
               char **why)
{
    struct server *server;
    struct base_addr lan_at = config->bind_ip;
    int rv;

    *why = NULL;
    BASE_NEW(server);
    server->config = *config;
    copy_strings(&server->config);
    server->env = config->main.env;
    server->log = base_log_named(&server->env->log, "server");

    /* What Raft drives: the catalog and the federation states. */
    fsm_init(&server->fsm, server->env);

    /* Where the other datacenters are: the locator reads the states and
     * feeds two pickers, one a loop. */
    wan_refresh_init(server);
    server->picker = fedstate_picker_new(server->env);
    rv = wan_side_new(server, &server->wan_side);
    if (rv != 0) {
        *why = port_error("WAN gossip port", &config->bind_ip,
                          config->serf_wan_port, rv);
        goto fail;
    }
    rv = make_locator(server);
    if (rv != 0)
        goto fail;

    /* How servers are called: dialler, pool of connections, methods. */
    rv = make_rpc(server);
    if (rv != 0)
        goto fail;

    /* Consensus in our datacenter, carried by that dialler. */
    leader_init(server);
    rv = make_raft(server);
    if (rv != 0)
        goto fail;
    fedstate_locator_hold(server->locator); /* until it has loaded */
    server->config.storage = NULL; /* Raft's now */
    rv = birth_init(server, why);
    if (rv != 0)
        goto fail;

    /* The two pools. */
    lan_at.port = config->serf_lan_port;
    rv = gossip_net_transport_new(config->gossip.net, &lan_at,
                                  &server->lan_net);
    if (rv != 0) {
        *why = port_error("LAN gossip port", &config->bind_ip,
                          config->serf_lan_port, rv);
        goto fail;
    }
    rv = make_lan(server);
    if (rv == 0)
        rv = make_wan(server);
    if (rv != 0)
        goto fail;
    flood_join_start(server);
    federation_gauges_init(server);

    /* The port, last: whoever connects finds everything behind it. */
    rv = make_listener(server);
    if (rv != 0) {
        *why = port_error("server port", &config->bind_ip, config->server_port,
                          rv);
        goto fail;
    }
    on_catalog(server, WATCH_TIMEOUT);
    *out = server;
    return 0;

fail:
    if (*why == NULL)
        *why = base_asprintf("server cannot start: %s", server_strerror(rv));
    server_free(server);
    return rv;
}

void server_set_replication_token(struct server *server, const char *token)
{
    server->config.replication_token = token;
}

void server_free(struct server *server)
{
    if (server == NULL)
        return;
    if (server->listener)
        rpc_listener_free(server->listener);
    base_timer_stop(&server->flood_timer);
    base_timer_stop(&server->refresh_timer);
    base_timer_stop(&server->gauges_timer);
    pool_free(server->wan);
    pool_free(server->lan);
    if (server->lan_net)
        gossip_net_transport_free(server->lan_net);
    if (server->raft) {
        leader_close(server);
        birth_close(server);
    }
    forward_close(server);
    /* Raft tells whoever waits for it that it stops, so they go after it. */
    if (server->raft) {
        operate_state_close(server);
        raft_node_free(server->raft);
    }
    read_close(server);
    place_close(server);
    primary_link_close(&server->leader.link);
    if (server->raft_link)
        raft_link_free(server->raft_link);
    if (server->rpc)
        rpc_server_free(server->rpc);
    if (server->calls)
        rpc_pool_free(server->calls);
    if (server->dialer)
        rpc_dialer_free(server->dialer);
    if (server->locator)
        fedstate_locator_free(server->locator);
    wan_side_free(server->wan_side);
    fedstate_picker_free(server->picker);
    fsm_close(&server->fsm);
    event_log_close(&server->events);
    if (server->config.storage)
        server->config.storage->ops->close(server->config.storage);
    free_strings(&server->config);
    base_free(server);
}
