/* Questions through rpc_server_call_local(), the API's own way in. */
#include "sim_ask.h"

#include <stdio.h>
#include <string.h>

#include "base/pb.h"
#include "suite.h"

#define TIMEOUT_MS 60000u

static uint64_t now_ns(const struct asked *asked)
{
    return base_sim_now_ns(federation_world(asked->federation));
}

static void on_answer(void *arg, int status, const char *text, const void *body,
                      size_t len)
{
    struct asked *asked = arg;

    ck_assert_msg(!asked->done, "answered twice");
    asked->done = true;
    asked->status = status;
    snprintf(asked->text, sizeof(asked->text), "%s", text);
    asked->after_ms = (now_ns(asked) - asked->since_ns) / 1000000;
    if (status != 0)
        return;
    if (asked->is_read) {
        asked->reply = base_pb_unpack(&server__query_reply__descriptor, body,
                                      len, base_pb_budget(len));
        ck_assert_ptr_nonnull(asked->reply);
        asked->index = asked->reply->index;
    } else {
        Server__WriteReply *reply = base_pb_unpack(
            &server__write_reply__descriptor, body, len, base_pb_budget(len));

        ck_assert_ptr_nonnull(reply);
        asked->index = reply->index;
        base_pb_free(reply);
    }
}

void ask_at(struct federation *federation, struct rpc_server *rpc,
            const char *method, const void *message, bool is_read,
            struct asked *asked)
{
    struct rpc_request request = {.method = method, .timeout_ms = TIMEOUT_MS};
    struct base_buf body = BASE_BUF_INIT;

    memset(asked, 0, sizeof(*asked));
    asked->federation = federation;
    asked->is_read = is_read;
    asked->since_ns = now_ns(asked);
    base_pb_pack(message, &body);
    request.body = base_buf_data(&body);
    request.body_len = base_buf_len(&body);
    ck_assert_int_eq(
        rpc_server_call_local(rpc, &request, on_answer, asked, NULL), 0);
    base_buf_close(&body);
}

static void ask(struct federation *federation, struct sim_server *server,
                const char *method, const void *message, bool is_read,
                struct asked *asked)
{
    ask_at(federation, server_rpc(sim_server_server(server)), method, message,
           is_read, asked);
}

void ask_read(struct federation *federation, struct sim_server *server,
              const char *method, const Server__Query *query,
              struct asked *asked)
{
    ask(federation, server, method, query, true, asked);
}

void ask_register_at(struct federation *federation, struct rpc_server *rpc,
                     const char *name, struct asked *asked)
{
    Server__Write write = SERVER__WRITE__INIT;
    Server__Register record = SERVER__REGISTER__INIT;
    Fedstate__Node node = FEDSTATE__NODE__INIT;

    node.node = (char *)name;
    node.address = (char *)"10.9.9.9";
    record.node = &node;
    write.register_ = &record;
    ask_at(federation, rpc, "Catalog.Register", &write, false, asked);
}

void ask_register(struct federation *federation, struct sim_server *server,
                  const char *name, struct asked *asked)
{
    ask_register_at(federation, server_rpc(sim_server_server(server)), name,
                    asked);
}

void ask_apply(struct federation *federation, struct sim_server *server,
               const char *dc, struct asked *asked)
{
    Server__Write write = SERVER__WRITE__INIT;
    Fedstate__Change change = FEDSTATE__CHANGE__INIT;
    Fedstate__FederationState state = FEDSTATE__FEDERATION_STATE__INIT;

    state.datacenter = (char *)dc;
    change.op = FEDSTATE__CHANGE__OP__UPSERT;
    change.state = &state;
    write.change = &change;
    ask(federation, server, "FederationState.Apply", &write, false, asked);
}

static bool is_done(void *arg)
{
    return ((struct asked *)arg)->done;
}

bool ask_wait(struct asked *asked, uint64_t within_ms)
{
    return federation_until(asked->federation, is_done, asked, within_ms);
}

void ask_clear(struct asked *asked)
{
    base_pb_free(asked->reply);
    asked->reply = NULL;
}
