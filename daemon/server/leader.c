/*
 * Begin and end of a leader's duties. Winning is not enough to begin: a new
 * leader first waits until all entries of earlier terms are applied, since its
 * duties compare what is with what should be.
 */
#include "server/leader.h"

#include <string.h>
#include <strings.h>

#include "base/alloc.h"
#include "fedstate/model.h"
#include "server/internal.h"
#include "server/prune.h"

#define RECONCILE_MS 60000u

/* One that nobody can dial is of no use, and its operator would never know. */
static void warn_of_lost(struct server *server,
                         const Fedstate__CheckServiceNode *gateway)
{
    struct base_addr addr;

    if (!fedstate_gateway_usable(gateway) ||
        fedstate_gateway_addr(gateway, true, &addr) ||
        !base_log_limit_pass(&server->leader.log_limit,
                             base_env_now_ns(server->env)))
        return;
    base_log(&server->log, BASE_LOG_WARN,
             "a mesh gateway has no WAN address that is an IP with a port: "
             "other datacenters cannot reach it",
             kv_str("node", gateway->node->node),
             kv_str("service", gateway->service->id));
}

static uint64_t catalog_gateways_of(void *ctx, Fedstate__CheckServiceNode ***out,
                                    size_t *count)
{
    struct server *server = ctx;
    size_t i;

    *out = catalog_gateways(&server->fsm.catalog, count);
    for (i = 0; i < *count; i++)
        warn_of_lost(server, (*out)[i]);
    return server->fsm.catalog.index;
}

static const struct fedstate_catalog_ops catalog_ops = {
    .version = 1, .gateways = catalog_gateways_of};

static void on_round(void *ctx, int status)
{
    struct server *server = ctx;
    struct leader *leader = &server->leader;
    bool is_back = status == 0 && leader->round_failed;

    leader->round_failed = status != 0;
    fedstate_locator_report_round(server->locator, status);
    if (is_back && leader->antientropy)
        fedstate_antientropy_wake(leader->antientropy);
}

static bool all_know_states(const struct server *server, bool wan,
                            const char *dc)
{
    size_t count, i;
    const struct member *const *members =
        pool_members(wan ? server->wan : server->lan, &count);

    for (i = 0; i < count; i++) {
        struct member_server as;

        if (members[i]->status == GOSSIP_MEMBER_ALIVE &&
            member_as_server(members[i], &as) && strcasecmp(as.dc, dc) == 0 &&
            !as.federation_states)
            return false;
    }
    return true;
}

/* Section 10: a datacenter supports federation states when all of its servers
 * say so; the primary must too, since it takes what we send. */
static bool is_supported(void *ctx)
{
    const struct server *server = ctx;

    return all_know_states(server, false, server->config.datacenter) &&
           all_know_states(server, true, server->config.primary_datacenter);
}

static void start_federation(struct server *server)
{
    struct leader *leader = &server->leader;
    struct fedstate_antientropy_config antientropy = {
        .datacenter = server->config.datacenter,
        .store = server->fsm.store,
        .catalog = &catalog_ops,
        .catalog_ctx = server,
        .primary = primary_link_primary(&leader->link),
        .is_primary = server_is_primary(server),
        .supported = is_supported,
        .supported_ctx = server,
    };
    struct fedstate_replicator_config replicator = {
        .store = server->fsm.store,
        .primary = primary_link_primary(&leader->link),
        .local = primary_link_local(&leader->link),
        .on_round = on_round,
        .ctx = server,
    };

    if (!server->config.federation)
        return;
    if (!server_is_primary(server) &&
        fedstate_replicator_new(server->env, &replicator,
                                &leader->replicator) != 0)
        leader->replicator = NULL;
    if (fedstate_antientropy_new(server->env, &antientropy,
                                 &leader->antientropy) != 0)
        leader->antientropy = NULL;
}

static void reconcile_all(void *arg)
{
    struct server *server = arg;
    size_t count, i;
    const struct member *const *members = pool_members(server->lan, &count);

    for (i = 0; i < count; i++)
        reconcile_member(server, members[i]);
    reconcile_catalog(server);
    dead_servers_look(server);
    base_timer_start_ms(&server->leader.reconcile_timer, RECONCILE_MS);
}

/* Which lead a barrier belongs to. */
struct barrier {
    struct server *server;
    uint64_t generation;
};

static void begin(struct server *server);

static void on_barrier(void *arg, int status)
{
    struct barrier *barrier = arg;
    struct server *server = barrier->server;
    bool current = server->is_leader &&
                   barrier->generation == server->leader.generation;

    base_free(barrier);
    if (!current || server->leader.active)
        return;
    if (status != 0) {
        if (status != RAFT_ESTOPPED)
            begin(server);
        return;
    }
    server->leader.active = true;
    memset(&server->leader.dead, 0, sizeof(server->leader.dead));
    base_log(&server->log, BASE_LOG_INFO, "leader duties begin");
    fedstate_locator_start(server->locator,
                           fedstate_store_count(server->fsm.store) > 0);
    fedstate_locator_set_leader(server->locator, true);
    start_federation(server);
    prune_start(server);
    reconcile_all(server);
    server_changed(server);
}

static void begin(struct server *server)
{
    struct barrier *barrier;

    BASE_NEW(barrier);
    barrier->server = server;
    barrier->generation = server->leader.generation;
    if (raft_node_read_barrier(server->raft, on_barrier, barrier) != 0)
        base_free(barrier); /* the lead is lost already, and will be told */
}

void leader_won(struct server *server)
{
    server->leader.generation++;
    begin(server);
}

void leader_lost(struct server *server)
{
    struct leader *leader = &server->leader;

    leader->generation++;
    fedstate_store_abandon(server->fsm.store);
    watch_list_abandon(&server->fsm.catalog.watches);
    if (!leader->active)
        return;
    leader->active = false;
    base_log(&server->log, BASE_LOG_INFO, "leader duties end");
    base_timer_stop(&leader->reconcile_timer);
    prune_stop(server);
    fedstate_locator_set_leader(server->locator, false);
    if (leader->replicator)
        fedstate_replicator_free(leader->replicator);
    if (leader->antientropy)
        fedstate_antientropy_free(leader->antientropy);
    leader->replicator = NULL;
    leader->antientropy = NULL;
}

void leader_member(struct server *server, enum gossip_event_kind kind,
                   const struct member *member)
{
    if (!server->leader.active)
        return;
    if (kind == GOSSIP_EVENT_MEMBER_LEAVE || kind == GOSSIP_EVENT_MEMBER_REAP)
        reconcile_gone(server, member);
    else
        reconcile_member(server, member);
}

void leader_path_news(struct server *server)
{
    if (server->leader.replicator)
        fedstate_replicator_wake(server->leader.replicator);
    if (server->leader.antientropy)
        fedstate_antientropy_wake(server->leader.antientropy);
}

void leader_support_news(struct server *server)
{
    struct fedstate_antientropy_status status;

    if (server->leader.antientropy == NULL)
        return;
    fedstate_antientropy_status(server->leader.antientropy, &status);
    if (status.unsupported)
        fedstate_antientropy_changed(server->leader.antientropy);
}

void leader_catalog_changed(struct server *server)
{
    if (server->leader.antientropy)
        fedstate_antientropy_changed(server->leader.antientropy);
}

void leader_init(struct server *server)
{
    primary_link_init(&server->leader.link, server);
    prune_init(server);
    base_timer_init(&server->leader.reconcile_timer, server->env, "reconcile",
                    reconcile_all, server);
}

void leader_close(struct server *server)
{
    if (server->leader.active)
        leader_lost(server);
}
