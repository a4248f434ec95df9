/*
 * The primary's side of replication: the whole table, once it has moved past
 * the index that a secondary knows, or at once if the secondary knew another
 * cluster (federation.md section 7). Any server answers, leader or not.
 */
#include <string.h>

#include "base/alloc.h"
#include "base/pb.h"
#include "server/access.h"
#include "server/forward.h"
#include "server/internal.h"

struct replication {
    struct server *server;
    struct rpc_call *call;
    struct fedstate_wait *wait;
};

static void reply_table(struct server *server, struct rpc_call *call)
{
    Fedstate__ListReply reply = FEDSTATE__LIST_REPLY__INIT;
    struct base_buf body = BASE_BUF_INIT;
    size_t i;

    reply.index = fedstate_store_index(server->fsm.store);
    reply.cluster_id = (char *)server_cluster_id(server);
    reply.n_states = fedstate_store_count(server->fsm.store);
    reply.states = base_calloc(reply.n_states + 1, sizeof(*reply.states));
    for (i = 0; i < reply.n_states; i++)
        reply.states[i] = (Fedstate__FederationState *)fedstate_store_at(
            server->fsm.store, i);
    base_pb_pack(&reply, &body);
    base_free(reply.states);
    rpc_call_reply(call, base_buf_data(&body), base_buf_len(&body));
    base_buf_close(&body);
}

static void on_cancel(void *arg)
{
    struct replication *replication = arg;
    struct rpc_call *call = replication->call;

    fedstate_wait_cancel(replication->wait);
    base_free(replication);
    rpc_call_fail(call, RPC_ECANCELLED, "cancelled");
}

static void on_wait(void *arg, enum fedstate_wake why)
{
    struct replication *replication = arg;
    struct server *server = replication->server;
    struct rpc_call *call = replication->call;

    (void)why;
    base_free(replication);
    rpc_call_on_cancel(call, NULL, NULL);
    reply_table(server, call);
}

static void on_replicate(void *arg, struct rpc_call *call)
{
    struct server *server = arg;
    struct replication *replication;
    size_t len;
    const void *body = rpc_call_body(call, &len);
    Fedstate__ListRequest *request =
        base_pb_unpack(&fedstate__list_request__descriptor, body, len,
                       base_pb_budget(len));

    if (request == NULL) {
        rpc_call_fail(call, RPC_EINVAL, "malformed request");
        return;
    }
    if (!server_is_primary(server)) {
        rpc_call_fail(call, FEDSTATE_ENOTPRIMARY,
                      fedstate_strerror(FEDSTATE_ENOTPRIMARY));
    /* A server that has not heard of its own cluster yet knows no states. */
    } else if (*server_cluster_id(server) == '\0') {
        rpc_call_fail(call, RPC_ENOLEADER, FORWARD_NO_LEADER);
    } else if (!access_allows(server, call, ACL_OPERATOR, ACL_READ)) {
        /* refused */
    } else if (strcmp(request->known_cluster_id, server_cluster_id(server)) != 0 ||
               fedstate_store_index(server->fsm.store) > request->min_index) {
        reply_table(server, call);
    } else {
        BASE_NEW(replication);
        replication->server = server;
        replication->call = call;
        if (fedstate_store_wait(server->fsm.store, NULL, request->min_index,
                                request->max_wait_ms, false, on_wait,
                                replication, &replication->wait) != 0) {
            base_free(replication);
            rpc_call_fail(call, RPC_EBUSY, "too many blocking queries");
        } else {
            rpc_call_on_cancel(call, on_cancel, replication);
        }
    }
    base_pb_free(request);
}

void replicate_method(struct server *server)
{
    rpc_server_method(server->rpc, "FederationState.Replicate",
                      RPC_METHOD_SERVERS, on_replicate, server);
}
