/* The simulated cluster: its servers' lives. */
#include <string.h>

#include "base/alloc.h"
#include "cluster_internal.h"
#include "raft/storage_sqlite.h"

/* Some fifty entries: whoever lags by more is fed from the storage. */
#define LOG_CACHE_BYTES 4096u

/* ---- life ---- */

static void on_fatal(void *ctx, int err, const char *why)
{
    struct cluster_server *server = ctx;

    (void)err;
    (void)why;
    server->fatal = true;
}

static void on_follower(void *ctx, const char *id,
                        enum raft_follower_state state, raft_index lag)
{
    struct cluster_server *server = ctx;

    (void)lag;
    server->told[id[1] - '0'] = state;
}

static void link_between(void *arg, const struct base_sim_host *from,
                         const struct base_sim_host *to,
                         struct base_sim_link *link)
{
    struct cluster *cluster = arg;
    unsigned a = 0, b = 0, i;

    for (i = 0; i < cluster->count; i++) {
        if (cluster->servers[i].host == from)
            a = i;
        if (cluster->servers[i].host == to)
            b = i;
    }
    link->up = !cluster->cut[a][b];
    link->loss_ppm = cluster->loss_ppm;
    link->duplicate_ppm = cluster->duplicate_ppm;
    if (cluster->delay_max_us != 0)
        link->delay_max_us = cluster->delay_max_us;
    if (cluster->delay_min_us != 0)
        link->delay_min_us = cluster->delay_min_us;
}

static uint64_t random_below(void *arg, uint64_t bound)
{
    return base_sim_random_below(arg, bound);
}

static void stop_listening(struct cluster_server *server)
{
    if (server->packets != NULL)
        base_net_packets_close(server->net, server->packets);
    server->packets = NULL;
}

static struct raft_storage *open_storage(struct cluster_server *server)
{
    struct raft_storage *storage = NULL;

    if (server->files == NULL)
        return raft_storage_memory_open(server->env, server->disk);
    base_free(server->refused);
    server->refused = NULL;
    (void)raft_storage_sqlite_open(server->env,
                                   fault_disk_folder(server->files),
                                   server->id, &storage, &server->refused);
    return storage;
}

static void boot(struct cluster *cluster, struct cluster_server *server)
{
    uint32_t threshold = cluster->config.snapshot_threshold;
    struct raft_node_config config = {0};

    server->env = base_sim_host_env(server->host, "main");
    server->boots++;
    memset(&server->state, 0, sizeof(server->state));
    server->last_seen = 0;
    server->last_term = 0;
    server->fatal = false;
    config.storage = open_storage(server);
    if (config.storage == NULL) {
        base_sim_host_crash(server->host);
        return;
    }
    server->net = base_sim_host_net(server->host, server->env);
    MUST(base_net_packets(server->net, &server->addr, cluster_on_packet,
                          server, &server->packets) == 0,
         "no socket");
    config.id = server->id;
    config.lease_drift_ppm = cluster->config.lease_ppm;
    config.transport.ops = &cluster_transport_ops;
    config.transport.ctx = server;
    config.fsm.ops = &cluster_fsm_ops;
    config.fsm.ctx = server;
    config.on_fatal = on_fatal;
    config.on_follower = on_follower;
    config.ctx = server;
    config.snapshot_threshold = threshold == 0 ? UINT32_MAX : threshold;
    config.snapshot_trailing = threshold / 4;
    config.log_cache_bytes = LOG_CACHE_BYTES;
    MUST(raft_node_new(server->env, &config, &server->node) == 0, "no node");
}

static void on_done(void *arg, int status)
{
    *(int *)arg = status;
}

static bool is_ready(void *arg)
{
    return raft_node_is_ready(((struct cluster_server *)arg)->node);
}

static bool is_set(void *arg)
{
    return *(int *)arg != 1;
}

static void bootstrap(struct cluster *cluster, struct cluster_server *server)
{
    int status = 1;

    base_sim_run_until_true(cluster->sim, is_ready, server, 1000);
    MUST(raft_node_bootstrap(server->node, &cluster->configuration, on_done,
                             &status) == 0,
         "no bootstrap");
    base_sim_run_until_true(cluster->sim, is_set, &status, 1000);
    MUST(status == 0, "bootstrap said %d", status);
}

static void make_server(struct cluster *cluster, unsigned number)
{
    struct cluster_server *server = &cluster->servers[number];
    uint32_t ppm = cluster->config.drift_ppm;
    char text[BASE_ADDR_TEXT_MAX];

    server->cluster = cluster;
    server->number = number;
    snprintf(server->id, sizeof(server->id), "s%u", number);
    snprintf(text, sizeof(text), "10.0.0.%u:%u", number + 1, CLUSTER_PORT);
    base_addr_parse(&server->addr, text, 0);
    server->host =
        base_sim_host_new(cluster->sim, server->id, &server->addr, 1);
    if (cluster->config.drifts != NULL)
        base_sim_host_set_drift(server->host,
                                cluster->config.drifts[number]);
    else if (ppm > 0)
        base_sim_host_set_drift(
            server->host,
            (int32_t)base_sim_random_below(cluster->sim, 2u * ppm + 1) -
                (int32_t)ppm);
    if (cluster->config.on_files)
        server->files = fault_disk_new(random_below, cluster->sim);
    else
        server->disk = raft_memory_disk_new();
    boot(cluster, server);
    MUST(server->node != NULL, "a new disk is refused");
}

struct cluster *cluster_make(const struct cluster_config *config)
{
    struct cluster *cluster;
    unsigned i;

    BASE_NEW(cluster);
    cluster->sim = base_sim_new(config->seed);
    cluster->config = *config;
    cluster->count = config->count;
    LIST_INIT(&cluster->clients);
    LIST_INIT(&cluster->restorers);
    base_sim_set_link(cluster->sim, link_between, cluster);
    for (i = 0; i < cluster->count; i++)
        make_server(cluster, i);
    cluster->configuration.server_count = config->voters;
    for (i = 0; i < config->voters; i++)
        cluster_server_entry(cluster, i, RAFT_VOTER,
                             &cluster->configuration.servers[i]);
    for (i = 0; i < config->voters; i++)
        bootstrap(cluster, &cluster->servers[i]);
    return cluster;
}

struct cluster *cluster_new_with(uint64_t seed, unsigned count,
                                 unsigned voters, uint32_t snapshot_threshold)
{
    struct cluster_config config = {.seed = seed,
                                    .count = count,
                                    .voters = voters,
                                    .snapshot_threshold = snapshot_threshold};

    return cluster_make(&config);
}

struct cluster *cluster_new(uint64_t seed, unsigned count, unsigned voters)
{
    return cluster_new_with(seed, count, voters, 0);
}

void cluster_server_entry(const struct cluster *cluster, unsigned server,
                          enum raft_suffrage suffrage,
                          struct raft_server *out)
{
    memset(out, 0, sizeof(*out));
    snprintf(out->id, sizeof(out->id), "%s", cluster->servers[server].id);
    base_addr_format(&cluster->servers[server].addr, out->address);
    out->suffrage = suffrage;
}

/* As at a loss of power: no event comes to free what is under way, and nothing
 * that is freed reaches the disk. */
static void put_down(struct cluster_server *server)
{
    if (server->files != NULL)
        fault_disk_off(server->files);
    base_sim_host_crash(server->host);
    raft_node_free(server->node);
    server->node = NULL;
    stop_listening(server);
    cluster_wire_reset(server);
    cluster_fsm_reset(server);
}

void cluster_free(struct cluster *cluster)
{
    unsigned i;

    for (i = 0; i < cluster->count; i++) {
        struct cluster_server *server = &cluster->servers[i];

        if (server->node != NULL)
            put_down(server);
        raft_memory_disk_free(server->disk);
        fault_disk_free(server->files);
        base_free(server->refused);
    }
    cluster_clients_close(cluster);
    base_sim_free(cluster->sim);
    base_free(cluster->facts);
    base_free(cluster->leaders);
    base_free(cluster);
}

void cluster_start(struct cluster *cluster, unsigned server)
{
    if (cluster->servers[server].node == NULL)
        boot(cluster, &cluster->servers[server]);
}

void cluster_crash(struct cluster *cluster, unsigned server)
{
    struct cluster_server *victim = &cluster->servers[server];

    if (victim->node != NULL) {
        cluster->counts.crashes++;
        base_sim_note(cluster->sim, "crash s%u", server);
        put_down(victim);
    }
    /* Also of one that was killed before: what it left is not safe yet. */
    if (victim->files != NULL)
        fault_disk_on_after_power_loss(victim->files);
}

void cluster_kill(struct cluster *cluster, unsigned server)
{
    struct cluster_server *victim = &cluster->servers[server];

    if (victim->node == NULL)
        return;
    cluster->counts.kills++;
    base_sim_note(cluster->sim, "kill s%u", server);
    put_down(victim);
    if (victim->files != NULL)
        fault_disk_on_after_kill(victim->files);
}

/* Disks that went off by themselves: the machine has no power any more. */
void cluster_crash_cut_off(struct cluster *cluster)
{
    unsigned i;

    if (!cluster->config.on_files)
        return;
    for (i = 0; i < cluster->count; i++) {
        struct cluster_server *server = &cluster->servers[i];

        if (server->node != NULL && fault_disk_is_off(server->files)) {
            cluster->counts.cuts++;
            cluster_crash(cluster, i);
        }
    }
}

void cluster_cut_one_way(struct cluster *cluster, unsigned from, unsigned to,
                         bool cut)
{
    cluster->cut[from][to] = cut;
}

void cluster_cut(struct cluster *cluster, unsigned a, unsigned b, bool cut)
{
    cluster->cut[a][b] = cut;
    cluster->cut[b][a] = cut;
}

void cluster_isolate(struct cluster *cluster, unsigned server, bool cut)
{
    unsigned i;

    for (i = 0; i < cluster->count; i++) {
        if (i != server)
            cluster_cut(cluster, server, i, cut);
    }
}

void cluster_heal(struct cluster *cluster)
{
    memset(cluster->cut, 0, sizeof(cluster->cut));
    cluster->loss_ppm = 0;
    cluster->duplicate_ppm = 0;
}
