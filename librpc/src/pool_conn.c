/*
 * A pooled connection: calls out, responses in by id. It closes when idle, when
 * the server goes away, or with an error; whatever ends it, none of its calls
 * is left without an end, and it is never used again.
 */
#include "base/alloc.h"
#include "pool_priv.h"

#define DOUBT_MS 10000u /* of silence, while nothing was asked */
#define CHECK_MS 2000u  /* for a sign of life */

/* Calls may have waited for its sign of life. */
static void on_close_timer(void *arg)
{
    struct pool_conn *conn = arg;
    struct pool_host *host = conn->host;

    pool_conn_free(conn);
    pool_host_dispatch(host);
}

static void on_check_timer(void *arg)
{
    struct pool_conn *conn = arg;

    base_env_trace(conn->host->pool->env, "rpc",
                   "connection to %s.%s has died silently", conn->host->node,
                   conn->host->dc);
    on_close_timer(conn);
}

/* Takes it out of the server's list, so that nobody chooses it. */
static void unlink_conn(struct pool_conn *conn)
{
    TAILQ_REMOVE(&conn->host->conns, conn, link);
    conn->host->conn_count--;
}

void pool_conn_free(struct pool_conn *conn)
{
    unlink_conn(conn);
    base_timer_stop(&conn->timer);
    base_timer_stop(&conn->check);
    rpc_mux_free(conn->mux);
    base_free(conn);
}

void pool_conn_leave(struct pool_conn *conn)
{
    conn->leaving = true;
    if (conn->calls.count == 0)
        base_timer_start_ns(&conn->timer, 0);
}

bool pool_conn_has_room(const struct pool_conn *conn)
{
    uint32_t theirs = rpc_mux_peer_streams_max(conn->mux);
    uint32_t ours = conn->host->pool->limits.streams_max;

    return !conn->leaving && !conn->checking &&
           conn->calls.count < (ours < theirs ? ours : theirs);
}

/* A host that lost power, or a gateway that was replaced, says no word: a call
 * sent to it would be lost, and could not safely be sent again. */
bool pool_conn_is_doubtful(const struct pool_conn *conn)
{
    return conn->calls.count == 0 &&
           base_env_now_ms(conn->host->pool->env) >=
               rpc_mux_heard_ms(conn->mux) + DOUBT_MS;
}

void pool_conn_check(struct pool_conn *conn)
{
    conn->checking = true;
    base_timer_start_ms(&conn->check, CHECK_MS);
    rpc_mux_ping(conn->mux);
}

static void on_pong(void *arg)
{
    struct pool_conn *conn = arg;

    if (!conn->checking)
        return;
    conn->checking = false;
    base_timer_stop(&conn->check);
    pool_host_dispatch(conn->host);
}

void pool_conn_send(struct pool_conn *conn, struct pool_call *call)
{
    struct rpc_pool *pool = conn->host->pool;
    uint64_t now_ms = base_env_now_ms(pool->env);
    struct frame_start start;

    if (call->body_len > rpc_mux_peer_message_max(conn->mux)) {
        pool_call_end_soon(call, RPC_ETOOBIG,
                           "the request is over the server's message limit");
        return;
    }
    call->conn = conn;
    call->id = conn->next_id++;
    if (conn->next_id == UINT32_MAX)
        conn->leaving = true;
    pool_call_put(call, &conn->calls);
    rpc_mux_set_load(conn->mux, conn->calls.count);
    base_env_trace(pool->env, "rpc", "send %s id=%u bytes=%zu hops=%u",
                   call->method, (unsigned)call->id, call->body_len,
                   (unsigned)call->hops);
    frame_write_request(&start, call->id, call->method, call->token,
                        call->deadline_ms > now_ms
                            ? (uint32_t)(call->deadline_ms - now_ms)
                            : 1,
                        call->hops, (uint32_t)call->body_len);
    rpc_mux_send(conn->mux, call->id, &start, call->body, call->body_len);
    /* A long one is not kept twice, so it can not be sent again. */
    if (call->body_len > FRAME_PART_BYTES) {
        base_free(call->body);
        call->body = NULL;
    }
}

void pool_conn_release(struct pool_conn *conn, struct pool_call *call)
{
    pool_call_take_out(call);
    call->conn = NULL;
    rpc_mux_set_load(conn->mux, conn->calls.count);
    if (conn->leaving && conn->calls.count == 0)
        base_timer_start_ns(&conn->timer, 0);
    else if (!conn->leaving)
        pool_host_dispatch(conn->host);
}

static struct pool_call *find_call(struct pool_conn *conn, uint32_t id)
{
    struct pool_call *call;

    TAILQ_FOREACH(call, &conn->calls.calls, link)
        if (call->id == id)
            return call;
    return NULL;
}

/* ---- what the mux tells ---- */

static int on_begin(void *arg, const struct frame_head *head)
{
    struct pool_conn *conn = arg;
    struct pool_call *call = find_call(conn, head->id);

    if (call == NULL)
        return RPC_ECANCELLED; /* we gave up on it */
    if (head->total <= conn->host->pool->limits.message_bytes_max)
        return 0;
    rpc_mux_cancel(conn->mux, call->id);
    pool_conn_release(conn, call);
    pool_call_end_soon(call, RPC_ETOOBIG,
                       "the answer is over the message limit");
    return RPC_ETOOBIG;
}

static void on_message(void *arg, const struct frame_head *head,
                       uint64_t arrived_ms, const void *body, size_t len,
                       struct base_buf *own)
{
    struct pool_conn *conn = arg;
    struct pool_call *call = find_call(conn, head->id);

    (void)arrived_ms;
    (void)own;
    if (call == NULL)
        return;
    pool_conn_release(conn, call);
    pool_call_finish(call, head->status, head->text, body, len);
}

static void give_back(struct pool_conn *conn, struct pool_call *call)
{
    struct pool_host *host = conn->host;

    rpc_mux_cancel(conn->mux, call->id);
    pool_call_take_out(call);
    if (call->body == NULL || call->sent_again) {
        pool_call_end_soon(call, RPC_ECLOSED,
                           "the server closed the connection before it took "
                           "the request");
        return;
    }
    call->conn = NULL;
    call->sent_again = true;
    pool_call_put(call, &host->waiting);
}

/* Requests after last_id never ran: they may safely go another way. */
static void on_goaway(void *arg, uint32_t last_id)
{
    struct pool_conn *conn = arg;
    struct pool_host *host = conn->host;
    struct pool_call *call;
    struct pool_call *next;

    for (call = TAILQ_FIRST(&conn->calls.calls); call != NULL; call = next) {
        next = TAILQ_NEXT(call, link);
        if (call->id > last_id)
            give_back(conn, call);
    }
    rpc_mux_set_load(conn->mux, conn->calls.count);
    pool_conn_leave(conn);
    pool_host_dispatch(host);
}

static void on_idle(void *arg)
{
    pool_conn_leave(arg);
}

static void on_end(void *arg, int err, const char *why)
{
    struct pool_conn *conn = arg;
    struct pool_host *host = conn->host;
    struct pool_call *call;

    base_env_trace(host->pool->env, "rpc", "connection to %s.%s ended err=%d",
                   host->node, host->dc, err);
    while ((call = TAILQ_FIRST(&conn->calls.calls)) != NULL) {
        pool_call_take_out(call);
        pool_call_end_soon(call, RPC_ECLOSED, why);
    }
    pool_conn_free(conn);
    pool_host_dispatch(host);
}

static const struct rpc_mux_events conn_events = {
    .on_begin = on_begin,
    .on_message = on_message,
    .on_goaway = on_goaway,
    .on_pong = on_pong,
    .on_idle = on_idle,
    .on_end = on_end,
};

void pool_conn_new(struct pool_host *host, struct base_stream *stream)
{
    struct pool_conn *conn;

    BASE_NEW(conn);
    conn->host = host;
    conn->to = stream->peer;
    conn->next_id = 1;
    pool_queue_init(&conn->calls);
    base_timer_init(&conn->timer, host->pool->env, "rpc-close", on_close_timer,
                    conn);
    base_timer_init(&conn->check, host->pool->env, "rpc-check", on_check_timer,
                    conn);
    TAILQ_INSERT_TAIL(&host->conns, conn, link);
    host->conn_count++;
    conn->mux = rpc_mux_new(host->pool->env, stream, false,
                            &host->pool->limits, &conn_events, conn);
}
