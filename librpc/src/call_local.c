/*
 * A call to a method of our own process: the same rules, no bytes on a wire.
 * The method runs from the loop, and so does the caller's done.
 */
#include <stdio.h>

#include "base/alloc.h"
#include "server_priv.h"

struct local_call {
    struct rpc_pending pending; /* first */
    LIST_ENTRY(local_call) link;
    struct rpc_server *server;
    struct rpc_call *call;   /* until the handler has ended it */
    rpc_done_fn done;        /* NULL: cancelled */
    void *arg;
    struct base_timer timer; /* zero: go on from the loop */
    bool running;            /* the handler has the call */
    bool answered;
    int status;
    char *text;
    struct base_buf body;
};

static void local_free(struct local_call *local)
{
    struct rpc_server *server = local->server;

    LIST_REMOVE(local, link);
    base_timer_stop(&local->timer);
    base_free(local->text);
    base_buf_close(&local->body);
    base_free(local);
    rpc_server_note_gone(server);
}

/* Cuts the handler's side off: it hears that nobody waits. */
static void let_go(struct local_call *local)
{
    struct rpc_call *call = local->call;

    local->call = NULL;
    if (call == NULL)
        return;
    rpc_call_orphan(call);
    /* Without a handler nobody else would end it. */
    if (!local->running)
        rpc_call_fail(call, RPC_ECANCELLED, "");
}

static void tell(struct local_call *local)
{
    rpc_done_fn done = local->done;
    void *arg = local->arg;
    struct base_buf body = local->body;
    char *text = local->text;
    int status = local->status;

    local->body = (struct base_buf)BASE_BUF_INIT;
    local->text = NULL;
    /* After a deadline the handler may still be at work. */
    let_go(local);
    local_free(local);
    done(arg, status, text, base_buf_data(&body), base_buf_len(&body));
    base_buf_close(&body);
    base_free(text);
}

static void keep_answer(struct local_call *local, int status, const char *text,
                        const void *body, size_t len)
{
    local->answered = true;
    local->status = status;
    local->text = base_strdup(text);
    base_buf_append(&local->body, body, len);
    base_timer_start_ns(&local->timer, 0);
}

static void on_answer(void *origin, struct rpc_call *call, int status,
                      const char *text, const void *body, size_t len)
{
    (void)call;
    keep_answer(origin, status, text, body, len);
}

static void on_ended(void *origin, struct rpc_call *call)
{
    struct local_call *local = origin;

    (void)call;
    local->call = NULL;
}

static const struct rpc_origin_ops local_origin = {
    .answer = on_answer,
    .ended = on_ended,
};

static void on_timer(void *arg)
{
    struct local_call *local = arg;
    char text[FRAME_TEXT_LEN_MAX + 1];
    struct rpc_method *method;
    int code = 0;

    if (local->answered) {
        tell(local);
        return;
    }
    method = rpc_server_find(local->server, local->call->method, NULL, &code,
                             text);
    if (method == NULL) {
        rpc_call_fail(local->call, code, text);
        return;
    }
    local->running = true;
    rpc_server_run(method, local->call);
}

static void on_cancel(struct rpc_pending *pending)
{
    struct local_call *local = (struct local_call *)(void *)pending;

    let_go(local);
    local_free(local);
}

void rpc_local_call_end(struct local_call *local)
{
    let_go(local);
    local->status = RPC_ECLOSED;
    if (local->text == NULL)
        local->text = base_strdup(rpc_strerror(RPC_ECLOSED));
    base_buf_reset(&local->body);
    tell(local);
}

int rpc_server_call_local(struct rpc_server *server,
                          const struct rpc_request *request, rpc_done_fn done,
                          void *arg, struct rpc_pending **out)
{
    struct frame_head head = {.is_request = true};
    struct local_call *local;
    int rv;

    if (out != NULL)
        *out = NULL;
    rv = server->shutting_down
             ? RPC_ECLOSED
             : rpc_request_check(request, server->limits.message_bytes_max);
    if (rv < 0)
        return rv;
    BASE_NEW(local);
    local->pending.cancel = on_cancel;
    local->server = server;
    local->done = done;
    local->arg = arg;
    base_timer_init(&local->timer, server->env, "rpc-local", on_timer, local);
    head.timeout_ms = request->timeout_ms;
    head.hops = (uint8_t)request->hops;
    snprintf(head.method, sizeof(head.method), "%s", request->method);
    snprintf(head.token, sizeof(head.token), "%s",
             request->token != NULL ? request->token : "");
    local->call = rpc_call_new(server->env, &local_origin, local, &head,
                               base_env_now_ms(server->env));
    if (request->body_len > 0)
        base_buf_append(&local->call->body, request->body, request->body_len);
    LIST_INSERT_HEAD(&server->locals, local, link);
    base_timer_start_ns(&local->timer, 0);
    if (out != NULL)
        *out = &local->pending;
    return 0;
}
