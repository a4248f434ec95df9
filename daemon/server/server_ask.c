/* What the daemon asks of a server: its core, leaves, status. */
#include <string.h>

#include "base/error.h"
#include "server/internal.h"
#include "server/strerror.h"

struct rpc_server *server_rpc(struct server *server)
{
    return server->rpc;
}

struct core server_core(struct server *server)
{
    return (struct core){.datacenter = server->config.datacenter,
                         .rpc = server->rpc,
                         .lan = server->lan,
                         .wan = server->wan,
                         .events = &server->events,
                         .server = server};
}

int server_set_primary_fallback(struct server *server,
                                const struct base_addr *addrs, size_t count)
{
    return fedstate_locator_set_fallback(server->locator, addrs, count);
}

static void on_left_lan(void *arg, int status)
{
    struct server *server = arg;
    void (*done)(void *, int) = server->left;

    server->left = NULL;
    done(server->left_arg, status);
}

static void on_left_wan(void *arg, int status)
{
    struct server *server = arg;

    if (status != 0)
        base_log(&server->log, BASE_LOG_WARN, "WAN leave",
                 kv_str("error", server_strerror(status)));
    status = pool_leave(server->lan, on_left_lan, server);
    if (status != 0)
        on_left_lan(server, status);
}

int server_leave(struct server *server, void (*done)(void *arg, int status),
                 void *arg)
{
    int rv;

    if (server->left)
        return BASE_EEXIST;
    rv = pool_leave(server->wan, on_left_wan, server);
    if (rv == 0) {
        server->left = done;
        server->left_arg = arg;
    }
    return rv;
}

void server_on_change(struct server *server, void (*changed)(void *ctx),
                      void *ctx)
{
    server->changed = changed;
    server->changed_ctx = ctx;
}

void server_status(const struct server *server, struct server_status *out)
{
    memset(out, 0, sizeof(*out));
    out->is_leader = server->is_leader;
    out->bootstrapped = raft_node_is_bootstrapped(server->raft);
    raft_node_status(server->raft, &out->raft);
    out->configuration = raft_node_configuration(server->raft);
    out->cluster_id = server_cluster_id(server);
    out->path = fedstate_locator_path(server->locator);
    out->replicating = server->leader.replicator != NULL;
    if (out->replicating)
        fedstate_replicator_status(server->leader.replicator,
                                   &out->replication);
    out->catalog_index = server->fsm.catalog.index;
    out->federation_index = fedstate_store_index(server->fsm.store);
    out->federation_states = fedstate_store_count(server->fsm.store);
}
