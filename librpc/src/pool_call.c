/*
 * A call on the asking side: what it says, its deadline, and its one end.
 */
#include <assert.h>
#include <string.h>

#include "base/alloc.h"
#include "pool_priv.h"

void pool_queue_init(struct pool_queue *queue)
{
    TAILQ_INIT(&queue->calls);
    queue->count = 0;
}

void pool_call_put(struct pool_call *call, struct pool_queue *queue)
{
    assert(call->queue == NULL);
    call->queue = queue;
    TAILQ_INSERT_TAIL(&queue->calls, call, link);
    queue->count++;
}

void pool_call_take_out(struct pool_call *call)
{
    if (call->queue == NULL)
        return;
    TAILQ_REMOVE(&call->queue->calls, call, link);
    call->queue->count--;
    call->queue = NULL;
}

static void call_free(struct pool_call *call)
{
    assert(call->queue == NULL);
    base_timer_stop(&call->timer);
    base_free(call->method);
    base_free_secret(call->token, strlen(call->token));
    base_free(call->body);
    base_free(call);
}

void pool_call_finish(struct pool_call *call, int status, const char *text,
                      const void *body, size_t len)
{
    rpc_done_fn done = call->done;
    void *arg = call->arg;

    base_env_trace(call->pool->env, "rpc",
                   "done %s id=%u bytes=%zu status=%d", call->method,
                   (unsigned)call->id, len, status);
    call_free(call);
    done(arg, status, text, body, len);
}

void pool_call_end_soon(struct pool_call *call, int status, const char *text)
{
    call->conn = NULL;
    call->ending = true;
    call->status = status;
    call->text = text;
    pool_call_put(call, &call->pool->ending);
    base_timer_start_ns(&call->timer, 0);
}

/* Leaves wherever it is; the server hears that nobody waits. */
static void withdraw(struct pool_call *call)
{
    struct pool_conn *conn = call->conn;

    if (conn != NULL) {
        rpc_mux_cancel(conn->mux, call->id);
        pool_conn_release(conn, call);
        return;
    }
    pool_call_take_out(call);
}

static void on_timer(void *arg)
{
    struct pool_call *call = arg;

    if (!call->ending) {
        withdraw(call);
        pool_call_finish(call, RPC_EDEADLINE, rpc_strerror(RPC_EDEADLINE),
                         NULL, 0);
        return;
    }
    pool_call_take_out(call);
    pool_call_finish(call, call->status, call->text, NULL, 0);
}

static void on_cancel(struct rpc_pending *pending)
{
    struct pool_call *call = (struct pool_call *)(void *)pending;

    withdraw(call);
    call_free(call);
}

struct pool_call *pool_call_new(struct rpc_pool *pool,
                                const struct rpc_request *request,
                                rpc_done_fn done, void *arg)
{
    struct pool_call *call;

    BASE_NEW(call);
    call->pending.cancel = on_cancel;
    call->pool = pool;
    call->method = base_strdup(request->method);
    call->token = base_strdup(request->token != NULL ? request->token : "");
    call->body = base_memdup(request->body, request->body_len);
    call->body_len = request->body_len;
    call->hops = (uint8_t)request->hops;
    call->deadline_ms = base_env_now_ms(pool->env) + request->timeout_ms;
    call->done = done;
    call->arg = arg;
    base_timer_init(&call->timer, pool->env, "rpc-call", on_timer, call);
    base_timer_start_ms(&call->timer, request->timeout_ms);
    return call;
}
