/* What users and operators ask of simulated servers, and a server that is too
 * old to know federation states. */
#include <stdlib.h>
#include <string.h>

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

/* ---- gateways that are gone ----------------------------------------------- */

#define ASK_AGAIN_MS 1000u
/* A registration may still be on its way when its gateway goes: the last word
 * comes later than that. */
#define LAST_WORD_NS UINT64_C(12000000000)

struct sim_gone {
    struct sim_gone *next;
    struct sim_dc *dc;
    char node[16];
    uint64_t since_ns;
    bool once; /* a leader has taken it */
    bool over; /* twice */
};

static void on_deregistered(void *arg, int status, const char *text,
                            const void *body, size_t len)
{
    struct sim_gone *gone = arg;
    uint64_t now_ns = base_sim_now_ns(gone->dc->federation->world);

    (void)text;
    (void)body;
    (void)len;
    gone->once |= status == 0;
    gone->over |= status == 0 && now_ns - gone->since_ns > LAST_WORD_NS;
}

static void ask_to_deregister(struct sim_gone *gone)
{
    Server__Write write = SERVER__WRITE__INIT;
    Server__Deregister record = SERVER__DEREGISTER__INIT;
    struct rpc_request request = {.method = "Catalog.Deregister",
                                  .timeout_ms = 30000};
    struct base_buf body = BASE_BUF_INIT;
    size_t i;

    record.node = gone->node;
    write.deregister = &record;
    base_pb_pack(&write, &body);
    request.body = base_buf_data(&body);
    request.body_len = base_buf_len(&body);
    for (i = 0; i < gone->dc->server_count; i++)
        if (gone->dc->servers[i]->server) {
            rpc_server_call_local(server_rpc(gone->dc->servers[i]->server),
                                  &request, on_deregistered, gone, NULL);
            break;
        }
    base_buf_close(&body);
}

static void on_operator(void *arg)
{
    struct federation *f = arg;
    uint64_t now_ns = base_sim_now_ns(f->world);
    struct sim_gone *gone;
    bool more = false;

    for (gone = f->gone; gone; gone = gone->next) {
        if (gone->over)
            continue;
        more = true;
        if (!gone->once || now_ns - gone->since_ns > LAST_WORD_NS)
            ask_to_deregister(gone);
    }
    if (more)
        base_timer_start_ms(&f->operator_timer, ASK_AGAIN_MS);
}

void sim_deregister(struct sim_dc *dc, const char *node)
{
    struct federation *f = dc->federation;
    struct sim_gone *gone;

    BASE_NEW(gone);
    gone->dc = dc;
    strcpy(gone->node, node);
    gone->since_ns = base_sim_now_ns(f->world);
    gone->next = f->gone;
    f->gone = gone;
    if (f->operator_timer.env == NULL) {
        struct base_addr addr = sim_addr(0, 0, 1, 0);

        base_timer_init(&f->operator_timer,
                        base_sim_host_env(base_sim_host_new(f->world,
                                                            "operator", &addr,
                                                            1),
                                          "operator"),
                        "operator", on_operator, f);
    }
    ask_to_deregister(gone);
    base_timer_start_ms(&f->operator_timer, ASK_AGAIN_MS);
}

void sim_operator_free(struct federation *f)
{
    while (f->gone) {
        struct sim_gone *next = f->gone->next;

        base_free(f->gone);
        f->gone = next;
    }
}

/* ---- servers that are too old --------------------------------------------- */

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
