/*
 * Writes: to the right datacenter, to its leader, through Raft. A federation
 * state belongs to the primary, wherever the call came in.
 */
#include <string.h>
#include <strings.h>

#include "base/alloc.h"
#include "base/pb.h"
#include "fedstate/model.h"
#include "server/access.h"
#include "server/forward.h"
#include "server/internal.h"
#include "server/strerror.h"

#define CLOCK_SKEW_MS 60000 /* an Apply is seconds old at most */

/* A write on its way through Raft. */
struct writing {
    struct server *server;
    struct rpc_call *call;
    bool ended; /* the caller went away; the entry may still commit */
    rpc_method_fn again;
};

static void on_cancel(void *arg)
{
    struct writing *writing = arg;

    writing->ended = true;
    rpc_call_fail(writing->call, RPC_ECANCELLED, "cancelled");
}

static void reply_index(struct rpc_call *call, uint64_t index)
{
    Server__WriteReply reply = SERVER__WRITE_REPLY__INIT;
    struct base_buf body = BASE_BUF_INIT;

    reply.index = index;
    base_pb_pack(&reply, &body);
    rpc_call_reply(call, base_buf_data(&body), base_buf_len(&body));
    base_buf_close(&body);
}

static void on_proposed(void *arg, int status, raft_index index, void *result)
{
    struct writing *writing = arg;
    struct fsm_result *applied = result;
    struct rpc_call *call = writing->call;
    struct server *server = writing->server;
    rpc_method_fn again = writing->again;
    bool ended = writing->ended;
    int applied_status = applied ? applied->status : 0;

    base_free(applied);
    base_free(writing);
    if (ended)
        return;
    rpc_call_on_cancel(call, NULL, NULL);
    if (status == RAFT_ENOTLEADER || status == RAFT_ELOST)
        forward_to_leader(server, call, again, server);
    else if (status != 0)
        rpc_call_fail(call, RPC_ENOLEADER, server_strerror(status));
    else if (applied_status != 0)
        rpc_call_fail(call, applied_status, server_strerror(applied_status));
    else
        reply_index(call, index);
}

void write_propose(struct server *server, struct rpc_call *call,
                   rpc_method_fn again, enum fsm_command command,
                   const void *message)
{
    struct base_buf entry = BASE_BUF_INIT;
    struct writing *writing;
    char *text;
    int rv;

    fsm_encode(&entry, command, message);
    if (base_buf_len(&entry) > RAFT_ENTRY_BYTES_MAX) {
        text = base_asprintf("record of %zu bytes is over the limit of %u bytes",
                             base_buf_len(&entry), RAFT_ENTRY_BYTES_MAX);
        rpc_call_fail(call, FEDSTATE_ETOOBIG, text);
        base_free(text);
        base_buf_close(&entry);
        return;
    }
    BASE_NEW(writing);
    writing->server = server;
    writing->call = call;
    writing->again = again;
    rpc_call_on_cancel(call, on_cancel, writing);
    rv = raft_node_propose(server->raft, base_buf_data(&entry),
                           base_buf_len(&entry), on_proposed, writing);
    base_buf_close(&entry);
    if (rv == 0)
        return;
    base_free(writing);
    rpc_call_on_cancel(call, NULL, NULL);
    if (rv == RAFT_ENOTLEADER)
        forward_to_leader(server, call, again, server);
    else
        rpc_call_fail(call, rv == RAFT_EBUSY ? RPC_EBUSY : rv,
                      server_strerror(rv));
}

bool write_went_elsewhere(struct server *server, struct rpc_call *call,
                          const char *dc, rpc_method_fn again)
{
    if (*dc != '\0' && strcasecmp(dc, server->config.datacenter) != 0) {
        forward_to_datacenter(server, call, dc);
        return true;
    }
    if (!server->is_leader) {
        forward_to_leader(server, call, again, server);
        return true;
    }
    return false;
}

Server__Write *write_unpack(struct rpc_call *call)
{
    size_t len;
    const void *body = rpc_call_body(call, &len);
    Server__Write *write = base_pb_unpack(&server__write__descriptor, body, len,
                                          base_pb_budget(len));

    if (write == NULL)
        rpc_call_fail(call, RPC_EINVAL, "malformed request");
    return write;
}

static void on_register(void *arg, struct rpc_call *call)
{
    struct server *server = arg;
    Server__Write *write = write_unpack(call);

    if (write == NULL)
        return;
    if (write->register_ == NULL || write->register_->node == NULL ||
        *write->register_->node->node == '\0')
        rpc_call_fail(call, RPC_EINVAL, "Must provide node");
    else if (!write_went_elsewhere(server, call, write->datacenter, on_register) &&
             access_register(server, call, write->register_))
        write_propose(server, call, on_register, FSM_REGISTER, write->register_);
    base_pb_free(write);
}

static void on_deregister(void *arg, struct rpc_call *call)
{
    struct server *server = arg;
    Server__Write *write = write_unpack(call);

    if (write == NULL)
        return;
    if (write->deregister == NULL || *write->deregister->node == '\0')
        rpc_call_fail(call, RPC_EINVAL, "Must provide node");
    else if (!write_went_elsewhere(server, call, write->datacenter, on_deregister) &&
             access_deregister(server, call, write->deregister))
        write_propose(server, call, on_deregister, FSM_DEREGISTER, write->deregister);
    base_pb_free(write);
}

/* 0, or the call was refused. */
static int check_change(struct rpc_call *call, const Fedstate__Change *change)
{
    const char *why = NULL;
    int rv = 0;

    if (change == NULL || (change->op != FEDSTATE__CHANGE__OP__UPSERT &&
                           change->op != FEDSTATE__CHANGE__OP__DELETE))
        rv = FEDSTATE_EOP;
    else if (change->state == NULL || *change->state->datacenter == '\0')
        rv = FEDSTATE_ENODC;
    else if (change->op == FEDSTATE__CHANGE__OP__UPSERT)
        rv = fedstate_check(change->state, &why);
    if (rv != 0)
        rpc_call_fail(call, rv, why ? why : server_strerror(rv));
    return rv;
}

/* An operator speaks for datacenters that run no server of ours; where one
 * runs, its leader would overwrite the record within a second. */
static bool speaks_for_itself(struct server *server, struct rpc_call *call,
                              const Fedstate__Change *change)
{
    const char *dc = change->state->datacenter;
    struct router_choice choice;
    char *why;

    if (change->op != FEDSTATE__CHANGE__OP__UPSERT ||
        !change->state->operator_owned ||
        (strcasecmp(dc, server->config.datacenter) != 0 &&
         !router_pick(server, dc, &choice)))
        return false;
    why = base_asprintf("datacenter %s has servers of its own, which keep its "
                        "federation state",
                        dc);
    rpc_call_fail(call, FEDSTATE_EINVAL, why);
    base_free(why);
    return true;
}

/* UpdatedAt is the sender's clock; only people read it, but certificates and
 * logs go by the same clock. */
static void check_clock(struct server *server,
                        const Fedstate__FederationState *state)
{
    int64_t ahead_ms =
        (state->updated_at_ns - base_env_wall_ns(server->env)) / 1000000;

    if (ahead_ms > -CLOCK_SKEW_MS && ahead_ms < CLOCK_SKEW_MS)
        return;
    base_counter_add(base_metrics_counter(server->env->metrics,
                                          "isthmus.fedstate.clock_skewed", NULL,
                                          NULL),
                     1);
    base_log(&server->log, BASE_LOG_WARN,
             "clocks differ between us and another datacenter",
             kv_str("datacenter", state->datacenter),
             kv_int("ahead_ms", ahead_ms));
}

static void on_apply(void *arg, struct rpc_call *call)
{
    struct server *server = arg;
    Server__Write *write = write_unpack(call);

    if (write == NULL)
        return;
    if (check_change(call, write->change) == 0 &&
        !write_went_elsewhere(server, call, server->config.primary_datacenter,
                        on_apply) &&
        access_allows(server, call, ACL_OPERATOR, ACL_WRITE) &&
        !speaks_for_itself(server, call, write->change)) {
        if (write->change->state->updated_at_ns == 0)
            write->change->state->updated_at_ns = base_env_wall_ns(server->env);
        check_clock(server, write->change->state);
        write_propose(server, call, on_apply, FSM_FEDERATION_STATE, write->change);
    }
    base_pb_free(write);
}

static void on_forgotten(void *arg, int status, raft_index index, void *result)
{
    (void)arg;
    (void)status;
    (void)index;
    base_free(result);
}

void server_propose(struct server *server, enum fsm_command command,
                    const void *message)
{
    struct base_buf entry = BASE_BUF_INIT;

    fsm_encode(&entry, command, message);
    raft_node_propose(server->raft, base_buf_data(&entry),
                      base_buf_len(&entry), on_forgotten, NULL);
    base_buf_close(&entry);
}

void write_methods(struct server *server)
{
    rpc_server_method(server->rpc, "Catalog.Register", 0, on_register, server);
    rpc_server_method(server->rpc, "Catalog.Deregister", 0, on_deregister,
                      server);
    rpc_server_method(server->rpc, "FederationState.Apply", RPC_METHOD_SERVERS,
                      on_apply, server);
}
