/*
 * The agent: two loops, and on them every object, made in the order in which
 * they lean on each other and freed in the reverse. This is the one place
 * where the callbacks that go upwards are wired:
 *
 *   joins    -> server_set_primary_fallback -> locator      (addresses)
 *   locator  -> server -> on_primary_ready -> joins         ("found them")
 *   HTTP     -> leave -> server_leave -> stop               (goodbye)
 *   server   -> on_fatal -> stop                            (Raft ended)
 *
 * At its core is a server or a client; all the rest sees either as a struct
 * core and does not ask which it is.
 */
#include "agent/agent.h"

#include <errno.h>
#include <event2/event.h>
#include <fcntl.h>
#include <pthread.h>
#include <signal.h>
#include <stdio.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#include "agent/check_tls.h"
#include "agent/certificate_age.h"
#include "agent/joins.h"
#include "agent/local_state.h"
#include "agent/monitor.h"
#include "agent/node_id.h"
#include "agent/peers_file.h"
#include "agent/notify.h"
#include "agent/pool_files.h"
#include "agent/stable_files.h"
#include "agent/syslog_sink.h"
#include "base/alloc.h"
#include "base/error.h"
#include "base/loop.h"
#include "client/client.h"
#include "http/http.h"
#include "raft/storage_sqlite.h"
#include "rpc/tls.h"
#include "server/server.h"

#define SHUTDOWN_MS 1000u /* blocking queries would hold on for minutes */
#define LEAVE_TIMEOUT_MS 20000u

struct agent {
    const struct config *config;
    struct base_log_sink *sink;
    struct monitor_hub *monitors;
    int log_fd;
    struct base_log log;
    struct base_metrics *metrics;
    struct base_workers *workers;
    struct base_loop *main, *gossip;
    pthread_t gossip_thread;
    bool gossip_runs;
    struct rpc_tls *main_tls, *gossip_tls;
    struct pool_files lan_files, wan_files;
    struct certificate_age certificate_age;
    struct acl *acl; /* NULL: not asked for */
    char node_id[NODE_ID_TEXT];
    struct stable_files *stable;
    struct server *server; /* one of the two */
    struct client *client;
    struct core core;
    struct joins *joins;
    struct check_tls check_tls;
    struct local_state *local;
    struct http *http;
    struct event *signals[3];
    struct base_timer leave_timer;
    bool leaving, stopping;
    int exit_code;

    void (*leave_done)(void *arg, int status);
    void *leave_arg;
};

/* ---- the end -------------------------------------------------------------- */

static void stop(struct agent *agent, int exit_code)
{
    agent->exit_code = exit_code;
    base_loop_stop(agent->main);
}

static void on_calls_ended(void *arg)
{
    stop(arg, 0);
}

/* Callers are told to go elsewhere, and those that wait are answered. */
static void stop_gently(struct agent *agent)
{
    if (agent->stopping) {
        stop(agent, 1); /* asked twice: at once */
        return;
    }
    agent->stopping = true;
    notify("STOPPING=1");
    rpc_server_shutdown(agent->core.rpc, SHUTDOWN_MS, on_calls_ended, agent);
}

static void on_left(void *arg, int status)
{
    struct agent *agent = arg;

    if (!agent->leaving)
        return; /* the timer was faster */
    agent->leaving = false;
    base_timer_stop(&agent->leave_timer);
    base_log(&agent->log, BASE_LOG_INFO, "left the pools");
    if (agent->leave_done)
        agent->leave_done(agent->leave_arg, status);
    /* A turn of the loop lets the answer to the leave request go out. */
    base_timer_start_ms(&agent->leave_timer, 100);
}

static void on_leave_timer(void *arg)
{
    struct agent *agent = arg;

    if (agent->leaving)
        base_log(&agent->log, BASE_LOG_WARN, "leave takes too long, stopping");
    stop(agent, 0);
}

static void leave(void *ctx, void (*done)(void *arg, int status), void *arg)
{
    struct agent *agent = ctx;
    int rv;

    if (agent->leaving) {
        if (done)
            done(arg, BASE_EEXIST);
        return;
    }
    base_log(&agent->log, BASE_LOG_INFO, "leaving the pools");
    agent->leaving = true;
    notify("STOPPING=1");
    agent->leave_done = done;
    agent->leave_arg = arg;
    base_timer_start_ms(&agent->leave_timer, LEAVE_TIMEOUT_MS);
    rv = agent->server ? server_leave(agent->server, on_left, agent)
                       : client_leave(agent->client, on_left, agent);
    if (rv != 0)
        on_left(agent, rv);
}

static void on_fatal(void *ctx, const char *why)
{
    struct agent *agent = ctx;

    fprintf(stderr, "isthmus: %s\n", why);
    stop(agent, 1);
}

static void on_exhausted(void *ctx, const char *what)
{
    struct agent *agent = ctx;

    fprintf(stderr, "isthmus: join of %s failed for good (retry_max)\n", what);
    stop(agent, 1);
}

static void on_primary_ready(void *ctx)
{
    struct agent *agent = ctx;

    if (agent->joins)
        joins_primary_ready(agent->joins);
}

/* Gossip loop: its contexts are its own. */
static void reload_gossip(void *arg)
{
    struct agent *agent = arg;
    char *why = NULL;

    if (rpc_tls_reload(agent->gossip_tls, &why) != 0)
        base_log(&agent->log, BASE_LOG_ERROR, "reload failed",
                 kv_str("error", why));
    base_free(why);
}

static int reload(void *ctx, char **why)
{
    struct agent *agent = ctx;
    int rv;

    if (agent->main_tls == NULL)
        return 0;
    rv = rpc_tls_reload(agent->main_tls, why);
    if (rv == 0)
        rv = http_reload(agent->http, why);
    if (rv != 0)
        return rv;
    certificate_age_renew(&agent->certificate_age);
    return base_env_post(base_loop_env(agent->gossip), reload_gossip, agent);
}

/* ---- signals -------------------------------------------------------------- */

static void on_signal(evutil_socket_t number, short events, void *arg)
{
    struct agent *agent = arg;
    char *why = NULL;

    (void)events;
    if (number == SIGHUP) {
        if (reload(agent, &why) != 0)
            base_log(&agent->log, BASE_LOG_ERROR, "reload failed",
                     kv_str("error", why));
        else
            base_log(&agent->log, BASE_LOG_INFO, "certificates read again");
        base_free(why);
        return;
    }
    if (agent->leaving) {
        stop(agent, 1); /* asked twice: at once */
        return;
    }
    if (number == SIGINT ? !agent->config->skip_leave_on_interrupt
                         : agent->config->leave_on_terminate)
        leave(agent, NULL, NULL);
    else
        stop_gently(agent);
}

static void watch_signals(struct agent *agent)
{
    static const int numbers[] = {SIGINT, SIGTERM, SIGHUP};
    size_t i;

    for (i = 0; i < BASE_COUNT_OF(numbers); i++) {
        agent->signals[i] = evsignal_new(base_loop_event_base(agent->main),
                                         numbers[i], on_signal, agent);
        event_add(agent->signals[i], NULL);
    }
}

/* ---- the beginning -------------------------------------------------------- */

static int fail(char **why, const char *text)
{
    if (*why == NULL)
        *why = base_strdup(text);
    return -1;
}

static int open_sink(struct agent *agent, char **why)
{
    const struct config *config = agent->config;
    int facility;

    agent->log_fd = STDERR_FILENO;
    if (config->enable_syslog) {
        syslog_facility_parse(config->syslog_facility, &facility);
        agent->sink = syslog_sink_new(facility);
        return 0;
    }
    if (config->log_file) {
        agent->log_fd = open(config->log_file,
                             O_WRONLY | O_CREAT | O_APPEND | O_CLOEXEC, 0640);
        if (agent->log_fd < 0) {
            *why = base_asprintf("log_file %s: %s", config->log_file,
                                 strerror(errno));
            return -1;
        }
    }
    agent->sink = base_log_sink_fd(agent->log_fd, config->log_json);
    return 0;
}

static void close_sink(struct agent *agent)
{
    if (agent->sink && agent->config->enable_syslog)
        syslog_sink_free(agent->sink);
    else if (agent->sink)
        base_log_sink_free(agent->sink);
    if (agent->log_fd > STDERR_FILENO)
        close(agent->log_fd);
}

static int open_log(struct agent *agent, char **why)
{
    if (open_sink(agent, why) != 0)
        return -1;
    agent->monitors = monitor_hub_new(agent->sink, agent->config->log_level);
    /* Records of debug level are made for monitors; the sink leaves them out. */
    agent->log = (struct base_log){
        monitor_hub_sink(agent->monitors), "agent",
        agent->config->log_level < BASE_LOG_DEBUG ? agent->config->log_level
                                                  : BASE_LOG_DEBUG};
    return 0;
}

static int make_loops(struct agent *agent, char **why)
{
    agent->metrics = base_metrics_new();
    agent->workers = base_workers_new();
    agent->main = base_loop_new("main", &agent->log, agent->metrics,
                                agent->workers);
    agent->gossip = base_loop_new("gossip", &agent->log, agent->metrics,
                                  agent->workers);
    if (agent->main == NULL || agent->gossip == NULL)
        return fail(why, "cannot make an event loop");
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
        return fail(why, "TLS cannot be set up");
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
        return fail(why, "the pools' files cannot be opened");
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
        rv = fail(why, "data_dir: cannot make the folder raft");
    else
        rv = peers_file_apply(agent->main, folder, agent->node_id, why);
    if (rv == 0)
        rv = raft_storage_sqlite_open(base_loop_env(agent->main), folder,
                                      agent->node_id, out, why);
    base_free(folder);
    return rv == 0 ? 0 : fail(why, "the Raft storage cannot be opened");
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
    struct local_state_config local = {
        .env = base_loop_env(agent->main),
        .rpc = agent->core.rpc,
        .token = acl->agent_token ? acl->agent_token : acl->default_token,
        .node = agent->config->node_name,
        .node_id = agent->node_id,
        .datacenter = agent->config->datacenter,
        .address = agent->config->advertise_addr,
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

    base_free(folder);
    return rv;
}

static int make_http(struct agent *agent, char **why)
{
    struct http_config http = {.loop = agent->main,
                               .config = agent->config,
                               .core = agent->core,
                               .acl = agent->acl,
                               .local = agent->local,
                               .joins = agent->joins,
                               .monitors = agent->monitors,
                               .node_id = agent->node_id,
                               .leave = leave,
                               .reload = reload,
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

static void *run_gossip(void *arg)
{
    base_loop_run(arg);
    return NULL;
}

static int start(struct agent *agent, char **why)
{
    agent->acl = config_acl(agent->config);
    if (open_log(agent, why) != 0 ||
        config_prepare_data_dir(agent->config, why) != 0 ||
        node_id_load(agent->config->data_dir, agent->config->node_id,
                     agent->node_id, why) != 0 ||
        make_loops(agent, why) != 0 || make_tls(agent, why) != 0 ||
        make_pool_files(agent, why) != 0 || make_core(agent, why) != 0)
        return -1;
    base_timer_init(&agent->leave_timer, base_loop_env(agent->main), "leave",
                    on_leave_timer, agent);
    make_joins(agent);
    start_joins(agent);
    if (make_local(agent, why) != 0 || make_http(agent, why) != 0)
        return -1;
    if (agent->main_tls)
        certificate_age_start(&agent->certificate_age,
                              base_loop_env(agent->main), agent->main_tls);
    watch_signals(agent);
    if (pthread_create(&agent->gossip_thread, NULL, run_gossip,
                       agent->gossip) != 0)
        return fail(why, "cannot start the gossip thread");
    agent->gossip_runs = true;
    return 0;
}

static void finish(struct agent *agent)
{
    size_t i;

    if (agent->gossip_runs) {
        base_loop_stop(agent->gossip);
        pthread_join(agent->gossip_thread, NULL);
    }
    for (i = 0; i < BASE_COUNT_OF(agent->signals); i++)
        if (agent->signals[i])
            event_free(agent->signals[i]);
    /* What the loops still owe is told while everybody is there to hear it. */
    if (agent->gossip)
        base_loop_drain(agent->gossip);
    if (agent->main)
        base_loop_drain(agent->main);
    if (agent->core.rpc)
        base_timer_stop(&agent->leave_timer);
    if (agent->http)
        http_free(agent->http);
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
    monitor_hub_free(agent->monitors);
    close_sink(agent);
}

int agent_run(const struct config *config)
{
    struct agent agent = {.config = config};
    char *why = NULL;

    if (start(&agent, &why) == 0) {
        base_log(&agent.log, BASE_LOG_INFO, "agent runs",
                 kv_str("node", config->node_name),
                 kv_str("datacenter", config->datacenter),
                 kv_bool("server", config->server),
                 kv_str("version", ISTHMUS_VERSION));
        notify("READY=1");
        base_loop_run(agent.main);
    } else {
        fprintf(stderr, "isthmus: %s\n", why ? why : "cannot start");
        agent.exit_code = 1;
    }
    base_free(why);
    finish(&agent);
    return agent.exit_code;
}
