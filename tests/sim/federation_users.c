/* What users and operators ask of simulated servers, and a server that is too
 * old to know federation states. */
#include <stdlib.h>

#include "base/alloc.h"
#include "base/pb.h"
#include "server/internal.h"
#include "sim/federation_internal.h"

static void on_read(void *arg, int status, const char *text, const void *body,
                    size_t len)
{
    struct federation *f = arg;
    Server__QueryReply *reply = NULL;

    (void)text;
    if (status == 0)
        reply = base_pb_unpack(&server__query_reply__descriptor, body, len,
                               base_pb_budget(len));
    if (reply && reply->n_nodes > 0)
        f->answers++;
    else
        f->failures++;
    base_pb_free(reply);
}

void federation_read(struct federation *f, struct sim_server *asked,
                     const char *dc)
{
    Server__Query query = SERVER__QUERY__INIT;
    struct rpc_request request = {.method = "Catalog.Nodes",
                                  .timeout_ms = 10000};
    struct base_buf body = BASE_BUF_INIT;

    query.datacenter = (char *)dc;
    base_pb_pack(&query, &body);
    request.body = base_buf_data(&body);
    request.body_len = base_buf_len(&body);
    if (rpc_server_call_local(server_rpc(asked->server), &request, on_read, f,
                              NULL) != 0)
        f->failures++;
    base_buf_close(&body);
}

uint64_t federation_answers(const struct federation *f)
{
    return f->answers;
}

uint64_t federation_failures(const struct federation *f)
{
    return f->failures;
}

/* ---- operators ------------------------------------------------------------ */

struct put {
    void (*done)(void *arg, int status);
    void *arg;
};

static void on_put(void *arg, int status, const char *text, const void *body,
                   size_t len)
{
    struct put *put = arg;

    (void)text;
    (void)body;
    (void)len;
    if (put->done)
        put->done(put->arg, status);
    base_free(put);
}

static void put_state(struct sim_server *asked, const char *name,
                      bool operator_owned,
                      void (*done)(void *arg, int status), void *arg)
{
    Server__Write write = SERVER__WRITE__INIT;
    Fedstate__Change change = FEDSTATE__CHANGE__INIT;
    Fedstate__FederationState state = FEDSTATE__FEDERATION_STATE__INIT;
    struct rpc_request request = {.method = "FederationState.Apply",
                                  .timeout_ms = 30000};
    struct base_buf body = BASE_BUF_INIT;
    struct put *put;

    BASE_NEW(put);
    put->done = done;
    put->arg = arg;
    state.datacenter = (char *)name;
    state.operator_owned = operator_owned;
    change.op = FEDSTATE__CHANGE__OP__UPSERT;
    change.state = &state;
    change.unconditional = true;
    write.change = &change;
    base_pb_pack(&write, &body);
    request.body = base_buf_data(&body);
    request.body_len = base_buf_len(&body);
    if (rpc_server_call_local(server_rpc(asked->server), &request, on_put, put,
                              NULL) != 0)
        on_put(put, RPC_ECLOSED, "", NULL, 0);
    base_buf_close(&body);
}

void federation_put(struct federation *f, struct sim_server *asked,
                    const char *name, void (*done)(void *arg, int status),
                    void *arg)
{
    (void)f;
    put_state(asked, name, true, done, arg);
}

void federation_put_ghost(struct federation *f, struct sim_server *asked,
                          const char *name)
{
    (void)f;
    put_state(asked, name, false, NULL, NULL);
}

static void refuse(void *arg, struct rpc_call *call)
{
    (void)arg;
    rpc_call_fail(call, RPC_ENOMETHOD, "unknown method");
}

void federation_unsupport(struct federation *f, const char *dc_name)
{
    struct sim_dc *dc = sim_dc_of(f, dc_name);
    size_t i;

    for (i = 0; i < dc->server_count; i++) {
        struct rpc_server *rpc = server_rpc(dc->servers[i]->server);

        rpc_server_method(rpc, "FederationState.Apply", 0, refuse, NULL);
        rpc_server_method(rpc, "FederationState.Replicate", 0, refuse, NULL);
    }
}
