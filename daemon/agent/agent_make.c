/*
 * What an agent is made of, in the order in which it leans on each other, and
 * freed in the reverse. This is the one place where the callbacks that go
 * upwards are wired:
 *
 *   joins   -> server_set_primary_fallback -> locator       (addresses)
 *   locator -> server -> on_primary_ready -> joins          ("found them")
 *   HTTP    -> agent_start_leave -> server_leave -> agent_stop (goodbye)
 *   server  -> on_fatal -> agent_stop                       (Raft ended)
 *
 * At its core is a server or a client; all the rest sees either as a struct
 * core and does not ask which it is.
 */
#include <stdio.h>
#include <sys/stat.h>
#include <unistd.h>

#include "agent/agent_private.h"
#include "agent/node_record.h"
#include "agent/peers_file.h"
#include "base/alloc.h"
#include "base/pb.h"
#include "raft/storage_sqlite.h"

int agent_fail(char **why, const char *text)
{
    if (*why == NULL)
        *why = base_strdup(text);
    return -1;
}

/* ---- what they call -------------------------------------------------------- */

static void on_fatal(void *ctx, const char *why)
{
    struct agent *agent = ctx;

    fprintf(stderr, "isthmus: %s\n", why);
    agent_stop(agent, 1);
}

static void on_exhausted(void *ctx, const char *what)
{
    struct agent *agent = ctx;

    fprintf(stderr, "isthmus: join of %s failed for good (retry_max)\n", what);
    agent_stop(agent, 1);
}

static void on_primary_ready(void *ctx)
{
    struct agent *agent = ctx;

    if (agent->joins)
        joins_primary_ready(agent->joins);
}

/* ---- the beginning --------------------------------------------------------- */

static int make_loops(struct agent *agent, char **why)
{
    agent->metrics = base_metrics_new();
    agent->workers = base_workers_new();
    agent->main = base_loop_new("main", &agent->log, agent->metrics,
                                agent->workers);
    agent->gossip = base_loop_new("gossip", &agent->log, agent->metrics,
                                  agent->workers);
    if (agent->main == NULL || agent->gossip == NULL)
        return agent_fail(why, "cannot make an event loop");
    monitor_hub_attach(agent->monitors, base_loop_env(agent->main));
    return 0;
}

static int make_tls(struct agent *agent, char **why)
{
    const struct config *config = agent->config;
    struct rpc_tls_config tls = {.ca_file = config->ca_file,
                                 .cert_file = config->cert_file,
                                 .key_file = config->key_file,
                                 .verify_incoming = config->verify_incoming,
                                 .verify_outgoing = config->verify_outgoing};

    if (config->cert_file == NULL)
        return 0;
    if (config_check_tls(config, why) != 0 ||
        rpc_tls_new(&tls, base_loop_env(agent->main), &agent->main_tls, why) ||
        rpc_tls_new(&tls, base_loop_env(agent->gossip), &agent->gossip_tls,
                    why))
        return agent_fail(why, "TLS cannot be set up");
    return 0;
}

/* Keyrings belong to the gossip loop, and rotate on their own. */
static int make_pool_files(struct agent *agent, char **why)
{
    const struct config *config = agent->config;

    if (pool_files_open(&agent->lan_files, &agent->log, config->data_dir,
                        "local", config->encrypt, why) != 0 ||
        (config->server &&
         pool_files_open(&agent->wan_files, &agent->log, config->data_dir,
                         "remote", config->encrypt, why) != 0))
        return agent_fail(why, "the pools' files cannot be opened");
    return 0;
}

static int open_storage(struct agent *agent, struct raft_storage **out,
                        char **why)
{
    const struct config *config = agent->config;
    char *folder = base_asprintf("%s/raft", config->data_dir);
    bool is_first = access(folder, F_OK) != 0;
    int rv = 0;

    if (is_first && config_check_first_start(config, why) != 0)
        rv = -1;
    else if (is_first && mkdir(folder, 0700) != 0)
        rv = agent_fail(why, "data_dir: cannot make the folder raft");
    else
        rv = peers_file_apply(agent->main, folder, agent->node_id, why);
    if (rv == 0)
        rv = raft_storage_sqlite_open(base_loop_env(agent->main), folder,
                                      agent->node_id, out, why);
    base_free(folder);
    return rv == 0 ? 0 : agent_fail(why, "the Raft storage cannot be opened");
}

static struct gossip_params pool_params(const struct config *config,
                                        const struct gossip_params *preset)
{
    struct gossip_params params = *preset;

    params.verify_incoming = config->encrypt_verify_incoming;
    params.verify_outgoing = config->encrypt_verify_outgoing;
    return params;
}

static int make_server(struct agent *agent, char **why)
{
    const struct config *config = agent->config;
    struct server_config server = {
        .main = {base_loop_env(agent->main), base_loop_net(agent->main), {0}},
        .gossip = {base_loop_env(agent->gossip), base_loop_net(agent->gossip),
                   {0}},
        .node = config->node_name,
        .node_id = agent->node_id,
        .datacenter = config->datacenter,
        .primary_datacenter = config->primary_datacenter,
        .domain = config->domain,
        .build = ISTHMUS_VERSION,
        .bind_ip = config->bind_addr,
        .advertise_ip = config->advertise_addr,
        .advertise_wan_ip = config->advertise_addr_wan,
        .server_port = config->ports.server,
        .serf_lan_port = config->ports.serf_lan,
        .serf_wan_port = config->ports.serf_wan,
        .bootstrap_expect = config->bootstrap_expect,
        .lan_keyring = agent->lan_files.keyring,
        .wan_keyring = agent->wan_files.keyring,
        .lan_snapshot = agent->lan_files.snapshot,
        .wan_snapshot = agent->wan_files.snapshot,
        .lan_keyring_path = agent->lan_files.keyring_path,
        .wan_keyring_path = agent->wan_files.keyring_path,
        .lan_params = pool_params(config, &gossip_params_lan),
        .wan_params = pool_params(config, &gossip_params_wan),
        .federation = config->federation,
        .verify_incoming = config->verify_incoming,
        .verify_server_hostname = config->verify_server_hostname,
        .disable_primary_fallback = config->disable_primary_gateway_fallback,
        .wan_allow_foreign = config->wan_allow_foreign_members,
        .rejoin_after_leave = config->rejoin_after_leave,
        .acl = agent->acl,
        .replication_token = config->acl.replication_token,
        .raft_multiplier = config->raft_multiplier,
        .handshake_timeout_ms = config->rpc_handshake_timeout_ms,
        .handshakes_max = config->rpc_handshakes_max,
        .raft_lease_drift_ppm = config->raft_lease_drift_ppm,
        .connections_per_name = config->rpc_max_conns_per_client,
        .on_primary_ready = on_primary_ready,
        .on_fatal = on_fatal,
        .ctx = agent,
    };

    if (open_storage(agent, &server.storage, why) != 0)
        return -1;
    agent->stable = stable_files_new(base_loop_env(agent->main),
                                     config->data_dir);
    server.stable = stable_files_ops(agent->stable);
    if (agent->main_tls) {
        server.main.secure = rpc_tls_secure(agent->main_tls);
        server.gossip.secure = rpc_tls_secure(agent->gossip_tls);
    }
    return server_new(&server, &agent->server, why);
}

static int make_client(struct agent *agent, char **why)
{
    const struct config *config = agent->config;
    struct client_config client = {
        .main = {base_loop_env(agent->main), base_loop_net(agent->main), {0}},
        .gossip = {base_loop_env(agent->gossip), base_loop_net(agent->gossip),
                   {0}},
        .node = config->node_name,
        .node_id = agent->node_id,
        .datacenter = config->datacenter,
        .domain = config->domain,
        .build = ISTHMUS_VERSION,
        .bind_ip = config->bind_addr,
        .advertise_ip = config->advertise_addr,
        .serf_lan_port = config->ports.serf_lan,
        .lan_keyring = agent->lan_files.keyring,
        .lan_params = pool_params(config, &gossip_params_lan),
        .lan_snapshot = agent->lan_files.snapshot,
        .lan_keyring_path = agent->lan_files.keyring_path,
        .verify_server_hostname = config->verify_server_hostname,
        .rejoin_after_leave = config->rejoin_after_leave,
    };

    if (agent->main_tls)
        client.main.secure = rpc_tls_secure(agent->main_tls);
    return client_new(&client, &agent->client, why);
}

static int make_core(struct agent *agent, char **why)
{
    int rv = agent->config->server ? make_server(agent, why)
                                   : make_client(agent, why);

    if (rv == 0)
        agent->core = agent->server ? server_core(agent->server)
                                    : client_core(agent->client);
    return rv;
}

static void make_joins(struct agent *agent)
{
    const struct config *config = agent->config;
    struct joins_config joins = {
        .core = agent->core,
        .lan = (const char *const *)config->retry_join.targets.items,
        .lan_count = config->retry_join.targets.count,
        .lan_interval_ms = config->retry_join.interval_ms,
        .lan_max = config->retry_join.max,
        .wan = (const char *const *)config->retry_join_wan.targets.items,
        .wan_count = config->retry_join_wan.targets.count,
        .wan_interval_ms = config->retry_join_wan.interval_ms,
        .wan_max = config->retry_join_wan.max,
        .primary_gateways =
            (const char *const *)config->primary_gateways.targets.items,
        .primary_gateway_count = config->primary_gateways.targets.count,
        .primary_interval_ms = config->primary_gateways.interval_ms,
        .exhausted = on_exhausted,
        .ctx = agent,
    };

    if (config->federation && config_is_secondary(config))
        joins.placeholder_dc = config->primary_datacenter;
    agent->joins = joins_new(base_loop_env(agent->main), &joins);
}

static int make_local(struct agent *agent, char **why)
{
    const struct config_acl *acl = &agent->config->acl;
    char *folder = base_asprintf("%s/services", agent->config->data_dir);
    Fedstate__Node *node = node_record_new(agent->config, agent->node_id);
    struct local_state_config local = {
        .env = base_loop_env(agent->main),
        .rpc = agent->core.rpc,
        .token = agent_own_token(acl),
        .node = node,
        .folder = folder,
        .check_update_interval_ms = agent->config->check_update_interval_ms,
        .net = base_loop_net(agent->main),
        .tls = check_tls_get,
        .tls_ctx = &agent->check_tls,
    };
    int rv;

    agent->check_tls = (struct check_tls){.env = base_loop_env(agent->main),
                                          .ca_file = agent->config->ca_file};
    rv = local_state_new(&local, &agent->local, why);
    base_pb_free(node);
    base_free(folder);
    return rv;
}

/* What those who follow the agent share. */
static void make_followed(struct agent *agent)
{
    struct cache_config cache = {.env = base_loop_env(agent->main),
                                 .rpc = agent->core.rpc};
    struct xds_config xds = {.env = cache.env,
                             .local = agent->local,
                             .datacenter = agent->config->datacenter,
                             .domain = agent->config->domain};

    agent->cache = cache_new(&cache);
    xds.cache = agent->cache;
    agent->xds = xds_new(&xds);
}

static int make_http(struct agent *agent, char **why)
{
    struct http_config http = {.loop = agent->main,
                               .config = agent->config,
                               .core = agent->core,
                               .acl = agent->acl,
                               .local = agent->local,
                               .joins = agent->joins,
                               .cache = agent->cache,
                               .xds = agent->xds,
                               .monitors = agent->monitors,
                               .node_id = agent->node_id,
                               .leave = agent_start_leave,
                               .reload = agent_reload_all,
                               .ctx = agent};

    return http_new(&http, &agent->http, why);
}

/* Joins that are tried once: start_join and start_join_wan. */
static void start_joins(struct agent *agent)
{
    const struct config *config = agent->config;

    if (config->start_join.count > 0)
        pool_join(agent->core.lan,
                  (const char *const *)config->start_join.items,
                  config->start_join.count, NULL, NULL);
    if (config->start_join_wan.count > 0)
        pool_join(agent->core.wan,
                  (const char *const *)config->start_join_wan.items,
                  config->start_join_wan.count, NULL, NULL);
}

int agent_make(struct agent *agent, char **why)
{
    agent->acl = config_acl(agent->config);
    if (agent_open_log(agent, why) != 0 ||
        config_prepare_data_dir(agent->config, why) != 0 ||
        node_id_load(agent->config->data_dir, agent->config->node_id,
                     agent->node_id, why) != 0 ||
        make_loops(agent, why) != 0 || make_tls(agent, why) != 0 ||
        make_pool_files(agent, why) != 0 || make_core(agent, why) != 0)
        return -1;
    make_joins(agent);
    start_joins(agent);
    if (make_local(agent, why) != 0)
        return -1;
    make_followed(agent);
    if (make_http(agent, why) != 0)
        return -1;
    if (agent->main_tls)
        certificate_age_start(&agent->certificate_age,
                              base_loop_env(agent->main), agent->main_tls);
    return 0;
}

/* ---- the end --------------------------------------------------------------- */

void agent_unmake(struct agent *agent)
{
    if (agent->http)
        http_free(agent->http);
    xds_free(agent->xds);
    cache_free(agent->cache);
    if (agent->local)
        local_state_free(agent->local);
    check_tls_close(&agent->check_tls);
    joins_free(agent->joins);
    server_free(agent->server);
    client_free(agent->client);
    stable_files_free(agent->stable);
    pool_files_close(&agent->lan_files);
    pool_files_close(&agent->wan_files);
    certificate_age_stop(&agent->certificate_age);
    acl_free(agent->acl);
    if (agent->main_tls)
        rpc_tls_free(agent->main_tls);
    if (agent->gossip_tls)
        rpc_tls_free(agent->gossip_tls);
    if (agent->gossip)
        base_loop_free(agent->gossip);
    if (agent->main)
        base_loop_free(agent->main);
    if (agent->workers)
        base_workers_free(agent->workers);
    if (agent->metrics)
        base_metrics_free(agent->metrics);
    agent_close_log(agent);
}
