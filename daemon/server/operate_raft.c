/*
 * What operators do with the consensus of a datacenter: see who takes part,
 * take a server out, hand leadership on. All of it is the leader's to do.
 */
#include <string.h>

#include "base/pb.h"
#include "raft/core.h"
#include "server/access.h"
#include "server/forward.h"
#include "server/internal.h"
#include "server/strerror.h"
#include "server/views.h"

/* ---- who takes part ------------------------------------------------------- */

/* What we know the server to have, if we are it or its leader. */
static uint64_t last_index_of(const struct server *server, const char *id)
{
    const struct raft *core = raft_node_core(server->raft);
    struct raft_progress progress;

    if (strcmp(id, server->config.node_id) == 0)
        return raft_last_index(core);
    return raft_peer_progress(core, id, &progress) ? progress.match : 0;
}

static Server__RaftServer *make_server(const struct server *server,
                                       const struct raft_server *peer,
                                       const char *leader_id,
                                       struct view_arena *arena)
{
    Server__RaftServer *out = view_block(arena, 1, sizeof(*out));
    const char *address = view_address(peer->address);
    size_t node_len = (size_t)(address - peer->address);

    server__raft_server__init(out);
    out->id = (char *)peer->id;
    out->address = (char *)address;
    if (node_len > 0) {
        out->node = view_block(arena, 1, node_len);
        memcpy(out->node, peer->address, node_len - 1);
    }
    out->leader = strcmp(peer->id, leader_id) == 0;
    out->voter = peer->suffrage == RAFT_VOTER;
    out->last_index = last_index_of(server, peer->id);
    return out;
}

void fill_raft_configuration(struct server *server, const Server__Query *query,
                             Server__QueryReply *reply,
                             struct view_arena *arena)
{
    const struct raft *core = raft_node_core(server->raft);
    Server__RaftConfiguration *out = view_block(arena, 1, sizeof(*out));
    const struct raft_configuration *configuration;
    uint32_t i;

    (void)query;
    server__raft_configuration__init(out);
    configuration = raft_current_configuration(core, &out->index);
    out->servers = view_block(arena, configuration->server_count,
                              sizeof(*out->servers));
    for (i = 0; i < configuration->server_count; i++)
        out->servers[out->n_servers++] =
            make_server(server, &configuration->servers[i],
                        raft_leader_id(core), arena);
    reply->raft = out;
}

/* ---- changes: one of a kind at a time, as Raft wants it ------------------- */

static void end(struct rpc_call **slot, int status)
{
    struct rpc_call *call = *slot;

    if (call == NULL)
        return; /* the caller went away */
    *slot = NULL;
    rpc_call_on_cancel(call, NULL, NULL);
    if (status == 0)
        rpc_call_reply(call, "", 0);
    else
        rpc_call_fail(call, RPC_EREMOTE, server_strerror(status));
}

static void on_removed(void *arg, int status)
{
    end(&((struct server *)arg)->raft_removal, status);
}

static void on_transferred(void *arg, int status)
{
    end(&((struct server *)arg)->raft_transfer, status);
}

static void on_cancel(void *arg)
{
    struct rpc_call **slot = arg;
    struct rpc_call *call = *slot;

    *slot = NULL; /* what was asked for goes on */
    rpc_call_fail(call, RPC_ECANCELLED, "cancelled");
}

/* NULL, and the call refused, if there is no such server. */
static const struct raft_server *find_peer(struct server *server,
                                           struct rpc_call *call,
                                           const Server__RaftChange *change)
{
    const struct raft_configuration *configuration =
        raft_node_configuration(server->raft);
    uint32_t i;

    for (i = 0; i < configuration->server_count; i++) {
        const struct raft_server *peer = &configuration->servers[i];

        if (*change->id != '\0' ? strcmp(peer->id, change->id) == 0
                                : strcmp(view_address(peer->address),
                                         change->address) == 0)
            return peer;
    }
    rpc_call_fail(call, RPC_EINVAL,
                  "no such server in the Raft configuration");
    return NULL;
}

static void wait_for(struct rpc_call **slot, struct rpc_call *call, int rv)
{
    if (rv != 0) {
        rpc_call_fail(call, rv == RAFT_EBUSY ? RPC_EBUSY : RPC_EREMOTE,
                      server_strerror(rv));
        return;
    }
    *slot = call;
    rpc_call_on_cancel(call, on_cancel, slot);
}

static void on_remove(void *arg, struct rpc_call *call)
{
    struct server *server = arg;
    Server__Write *write = write_unpack(call);
    const struct raft_server *peer;

    if (write == NULL)
        return;
    if (write->raft == NULL ||
        (*write->raft->id == '\0') == (*write->raft->address == '\0'))
        rpc_call_fail(call, RPC_EINVAL,
                      "Must specify either ?id with the server's ID or "
                      "?address with IP:port of peer to remove");
    else if (!write_went_elsewhere(server, call, write->datacenter,
                                   on_remove) &&
             access_allows(server, call, ACL_OPERATOR, ACL_WRITE) &&
             (peer = find_peer(server, call, write->raft)) != NULL)
        wait_for(&server->raft_removal, call,
                 raft_node_remove_server(server->raft, peer->id, on_removed,
                                         server));
    base_pb_free(write);
}

static void on_transfer(void *arg, struct rpc_call *call)
{
    struct server *server = arg;
    Server__Write *write = write_unpack(call);

    if (write == NULL)
        return;
    if (write->raft == NULL)
        rpc_call_fail(call, RPC_EINVAL, "malformed request");
    else if (!write_went_elsewhere(server, call, write->datacenter,
                                   on_transfer) &&
             access_allows(server, call, ACL_OPERATOR, ACL_WRITE) &&
             (*write->raft->id == '\0' ||
              find_peer(server, call, write->raft) != NULL))
        wait_for(&server->raft_transfer, call,
                 raft_node_transfer(server->raft, write->raft->id,
                                    on_transferred, server));
    base_pb_free(write);
}

void operate_raft_methods(struct server *server)
{
    rpc_server_method(server->rpc, "Operator.RaftRemovePeer", 0, on_remove,
                      server);
    rpc_server_method(server->rpc, "Operator.RaftTransferLeader", 0,
                      on_transfer, server);
}
