/*
 * Both tables make the same kind of object: a call with one callback, of which
 * libfedstate sees the end once, or never after cancelling.
 */
#include "server/primary_link.h"

#include "base/alloc.h"
#include "base/pb.h"
#include "server/internal.h"
#include "server/strerror.h"

#define APPLY_TIMEOUT_MS 30000u
#define LIST_SLACK_MS 15000u /* the way there and back, besides the wait */

struct fedstate_call {
    struct primary_link *link;
    struct fedstate_call *prev, *next;
    struct rpc_pending *pending; /* by RPC */
    bool cancelled;              /* a proposal cannot be taken back */
    struct base_buf list;        /* of a List: its request */
    uint32_t list_timeout_ms;
    fedstate_list_fn on_list;
    fedstate_apply_fn on_apply;
    void *arg;
};

static struct fedstate_call *call_new(struct primary_link *link, void *arg)
{
    struct fedstate_call *call;

    BASE_NEW(call);
    call->link = link;
    call->arg = arg;
    call->next = link->calls;
    if (call->next)
        call->next->prev = call;
    link->calls = call;
    return call;
}

static void call_free(struct fedstate_call *call)
{
    if (call->prev)
        call->prev->next = call->next;
    else
        call->link->calls = call->next;
    if (call->next)
        call->next->prev = call->prev;
    base_buf_close(&call->list);
    base_free(call);
}

static void cancel(void *ctx, struct fedstate_call *call)
{
    (void)ctx;
    if (call->pending) {
        rpc_pending_cancel(call->pending);
        call_free(call);
    } else {
        call->cancelled = true;
    }
}

/* libfedstate knows its own errors; whatever else went wrong on the way means
 * to it that the primary cannot be reached. */
static int status_for_fedstate(struct primary_link *link, int status)
{
    if (status == 0 || (status <= -500 && status > -600))
        return status;
    base_log(&link->server->log, BASE_LOG_DEBUG, "call to the primary failed",
             kv_str("error", server_strerror(status)));
    return FEDSTATE_EPRIMARY;
}

/* An Apply tells as much about the way to the primary as a replication round
 * does, and may be the only one to ask: a blocking List can hang for minutes on
 * a connection that still lives while every new one fails. */
static void report_path(struct primary_link *link, int status)
{
    struct server *server = link->server;

    if (!server_is_primary(server) &&
        (status == 0 || status == FEDSTATE_EPRIMARY))
        fedstate_locator_report_round(server->locator, status);
}

/* ---- our own Raft --------------------------------------------------------- */

static void on_applied_here(void *arg, int status, raft_index index,
                            void *result)
{
    struct fedstate_call *call = arg;
    struct fsm_result *applied = result;
    fedstate_apply_fn done = call->on_apply;
    void *done_arg = call->arg;
    bool cancelled = call->cancelled;

    (void)index;
    if (status == 0 && applied)
        status = applied->status;
    base_free(applied);
    call_free(call);
    if (!cancelled)
        done(done_arg, status);
}

static int local_apply(void *ctx, const Fedstate__Change *change,
                       fedstate_apply_fn done, void *arg,
                       struct fedstate_call **out)
{
    struct primary_link *link = ctx;
    struct base_buf entry = BASE_BUF_INIT;
    struct fedstate_call *call = call_new(link, arg);
    int rv;

    call->on_apply = done;
    fsm_encode(&entry, FSM_FEDERATION_STATE, change);
    rv = raft_node_propose(link->server->raft, base_buf_data(&entry),
                           base_buf_len(&entry), on_applied_here, call);
    base_buf_close(&entry);
    if (rv != 0)
        call_free(call);
    else
        *out = call;
    /* Of this record alone: replication goes on with the others. */
    return rv == RAFT_ETOOBIG ? FEDSTATE_ETOOBIG : rv;
}

/* ---- the primary, by RPC -------------------------------------------------- */

static void on_list(void *arg, int status, const char *text, const void *body,
                    size_t len)
{
    struct fedstate_call *call = arg;
    fedstate_list_fn done = call->on_list;
    void *done_arg = call->arg;
    Fedstate__ListReply *reply = NULL;

    (void)text;
    status = status_for_fedstate(call->link, status);
    call_free(call);
    if (status == 0) {
        reply = base_pb_unpack(&fedstate__list_reply__descriptor, body, len,
                               base_pb_budget(len));
        if (reply == NULL)
            status = FEDSTATE_EDECODE;
    }
    done(done_arg, status, reply);
    base_pb_free(reply);
}

/* 0, with call->pending anew; or an error, and it is as it was. */
static int send_list(struct fedstate_call *call)
{
    struct server *server = call->link->server;
    struct router_choice choice;
    struct rpc_target target;
    struct rpc_pending *pending;
    const struct rpc_request request = {
        .method = "FederationState.Replicate",
        .token = server->config.replication_token,
        .body = base_buf_data(&call->list),
        .body_len = base_buf_len(&call->list),
        .timeout_ms = call->list_timeout_ms,
    };
    int rv;

    if (!router_pick(server, server->config.primary_datacenter, &choice))
        return FEDSTATE_EPRIMARY;
    target = router_target(&choice);
    rv = rpc_pool_call(server->calls, &target, &request, on_list, call,
                       &pending);
    if (rv == 0)
        call->pending = pending;
    return rv;
}

static int primary_list(void *ctx, const Fedstate__ListRequest *request,
                        fedstate_list_fn done, void *arg,
                        struct fedstate_call **out)
{
    struct fedstate_call *call = call_new(ctx, arg);
    int rv;

    base_pb_pack(request, &call->list);
    call->list_timeout_ms = request->max_wait_ms + request->max_wait_ms / 16 +
                            LIST_SLACK_MS;
    call->on_list = done;
    rv = send_list(call);
    if (rv != 0)
        call_free(call);
    else
        *out = call;
    return rv;
}

void primary_link_renew(struct primary_link *link)
{
    struct fedstate_call *call;

    for (call = link->calls; call; call = call->next) {
        struct rpc_pending *old = call->pending;

        if (call->on_list && send_list(call) == 0)
            rpc_pending_cancel(old);
    }
}

static void on_applied_there(void *arg, int status, const char *text,
                             const void *body, size_t len)
{
    struct fedstate_call *call = arg;
    fedstate_apply_fn done = call->on_apply;
    void *done_arg = call->arg;

    (void)text;
    (void)body;
    (void)len;
    status = status_for_fedstate(call->link, status);
    report_path(call->link, status);
    call_free(call);
    done(done_arg, status);
}

/* Through our own endpoint, which forwards to wherever the primary leads; in
 * the primary itself straight through Raft, as all that a leader does. */
static int primary_apply(void *ctx, const Fedstate__Change *change,
                         fedstate_apply_fn done, void *arg,
                         struct fedstate_call **out)
{
    struct primary_link *link = ctx;
    struct server *server = link->server;
    Server__Write write = SERVER__WRITE__INIT;
    struct rpc_request request = {.method = "FederationState.Apply",
                                  .token = server->config.replication_token,
                                  .timeout_ms = APPLY_TIMEOUT_MS};
    struct base_buf body = BASE_BUF_INIT;
    struct fedstate_call *call;
    int rv;

    if (server_is_primary(server))
        return local_apply(ctx, change, done, arg, out);
    call = call_new(link, arg);
    write.change = (Fedstate__Change *)change;
    base_pb_pack(&write, &body);
    request.body = base_buf_data(&body);
    request.body_len = base_buf_len(&body);
    call->on_apply = done;
    rv = rpc_server_call_local(server->rpc, &request, on_applied_there,
                               call, &call->pending);
    base_buf_close(&body);
    if (rv != 0)
        call_free(call);
    else
        *out = call;
    return rv;
}

/* ---- life ----------------------------------------------------------------- */

void primary_link_init(struct primary_link *link, struct server *server)
{
    link->server = server;
    link->calls = NULL;
}

void primary_link_close(struct primary_link *link)
{
    while (link->calls) {
        if (link->calls->pending)
            rpc_pending_cancel(link->calls->pending);
        call_free(link->calls);
    }
}

struct fedstate_primary primary_link_primary(struct primary_link *link)
{
    static const struct fedstate_primary_ops ops = {.version = 1,
                                                    .list = primary_list,
                                                    .apply = primary_apply,
                                                    .cancel = cancel};

    return (struct fedstate_primary){&ops, link};
}

struct fedstate_local primary_link_local(struct primary_link *link)
{
    static const struct fedstate_local_ops ops = {
        .version = 1, .apply = local_apply, .cancel = cancel};

    return (struct fedstate_local){&ops, link};
}
