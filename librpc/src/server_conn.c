/*
 * A connection on the serving side: requests become calls, answers responses.
 * One over the limit of calls in flight is answered RPC_EBUSY, one whose method
 * is unknown or not allowed with that, before its body is read. A connection
 * for a single request says farewell after its first.
 */
#include <stdio.h>

#include "base/alloc.h"
#include "refusal.h"
#include "server_priv.h"

#define FAREWELL_MS 5000u /* for the caller to hang up first */

struct server_conn {
    LIST_ENTRY(server_conn) link;
    struct rpc_server *server;
    struct rpc_mux *mux;
    struct rpc_peer_ref *peer;
    bool single;
    bool leaving; /* no more requests; closes when the caller has, or soon */
    unsigned call_count;
    struct rpc_call_list calls;
};

struct server_conn *rpc_server_conn_next(const struct server_conn *conn)
{
    return LIST_NEXT(conn, link);
}

void rpc_server_conn_free(struct server_conn *conn)
{
    struct rpc_server *server = conn->server;
    struct rpc_call *call;

    LIST_REMOVE(conn, link);
    rpc_mux_free(conn->mux);
    while ((call = TAILQ_FIRST(&conn->calls)) != NULL) {
        TAILQ_REMOVE(&conn->calls, call, link);
        rpc_call_orphan(call);
    }
    rpc_peer_unref(conn->peer);
    base_free(conn);
    rpc_server_note_gone(server);
}

void rpc_server_conn_leave(struct server_conn *conn)
{
    conn->leaving = true;
    rpc_mux_goaway(conn->mux);
    rpc_mux_set_idle_timeout(conn->mux, FAREWELL_MS);
}

/* ---- answers ---- */

static void send_response(struct server_conn *conn, uint32_t id, int status,
                          const char *text, const void *body, size_t len)
{
    struct frame_start start;

    if (len > rpc_mux_peer_message_max(conn->mux)) {
        status = RPC_ETOOBIG;
        text = "the answer is over the caller's message limit";
        len = 0;
    }
    frame_write_response(&start, id, status, text, (uint32_t)len);
    rpc_mux_send(conn->mux, id, &start, body, len);
    if (conn->single) {
        rpc_server_conn_leave(conn);
        rpc_mux_finish(conn->mux);
    }
}

static void on_answer(void *origin, struct rpc_call *call, int status,
                      const char *text, const void *body, size_t len)
{
    send_response(origin, call->id, status, text, body, len);
}

static void on_ended(void *origin, struct rpc_call *call)
{
    struct server_conn *conn = origin;

    TAILQ_REMOVE(&conn->calls, call, link);
    conn->call_count--;
    rpc_mux_set_load(conn->mux, conn->call_count);
}

static const struct rpc_origin_ops conn_origin = {
    .answer = on_answer,
    .ended = on_ended,
};

/* ---- requests ---- */

static int on_begin(void *arg, const struct frame_head *head)
{
    struct server_conn *conn = arg;
    const struct rpc_mux_limits *limits = &conn->server->limits;
    char text[FRAME_TEXT_LEN_MAX + 1] = "";
    int code = 0;

    if (conn->call_count + rpc_mux_partial_count(conn->mux) >=
        (conn->single ? 1 : limits->streams_max)) {
        code = RPC_EBUSY;
        snprintf(text, sizeof(text), "%s", rpc_strerror(code));
        rpc_refusal_count(conn->server->env, "streams-max");
    } else if (head->total > limits->message_bytes_max) {
        code = RPC_ETOOBIG;
        snprintf(text, sizeof(text),
                 "the request has %u bytes, over the limit of %u",
                 (unsigned)head->total, (unsigned)limits->message_bytes_max);
        rpc_refusal_count(conn->server->env, "message-max");
    } else {
        rpc_server_find(conn->server, head->method, &conn->peer->peer, &code,
                        text);
    }
    if (code != 0)
        send_response(conn, head->id, code, text, NULL, 0);
    return code;
}

static void on_message(void *arg, const struct frame_head *head,
                       uint64_t arrived_ms, const void *body, size_t len,
                       struct base_buf *own)
{
    struct server_conn *conn = arg;
    char text[FRAME_TEXT_LEN_MAX + 1];
    struct rpc_method *method;
    struct rpc_call *call;
    int code;

    method = rpc_server_find(conn->server, head->method, &conn->peer->peer,
                             &code, text);
    if (method == NULL) { /* removed while its body came */
        send_response(conn, head->id, code, text, NULL, 0);
        return;
    }
    call = rpc_call_new(conn->server->env, &conn_origin, conn, head,
                        arrived_ms);
    call->peer = conn->peer;
    conn->peer->refs++;
    if (own != NULL) {
        call->body = *own;
        *own = (struct base_buf)BASE_BUF_INIT;
    } else if (len > 0) {
        base_buf_append(&call->body, body, len);
    }
    TAILQ_INSERT_TAIL(&conn->calls, call, link);
    conn->call_count++;
    rpc_mux_set_load(conn->mux, conn->call_count);
    rpc_server_run(method, call);
}

static void on_cancel(void *arg, uint32_t id)
{
    struct server_conn *conn = arg;
    struct rpc_call *call;

    TAILQ_FOREACH(call, &conn->calls, link)
        if (call->id == id)
            break;
    if (call == NULL)
        return;
    base_env_trace(call->env, "rpc", "cancelled %s id=%u", call->method,
                   (unsigned)id);
    rpc_call_give_up(call);
}

static void on_idle(void *arg)
{
    struct server_conn *conn = arg;

    if (conn->leaving)
        rpc_server_conn_free(conn);
    else
        rpc_server_conn_leave(conn);
}

static void on_end(void *arg, int err, const char *why)
{
    struct server_conn *conn = arg;
    struct rpc_server *server = conn->server;

    if (err == RPC_EPEER || err == RPC_ETOOBIG) {
        rpc_refusal_count(server->env, "frame");
        if (base_log_limit_pass(&server->log_limit,
                                base_env_now_ns(server->env)))
            base_log(&server->log, BASE_LOG_WARN, "closed an RPC connection",
                     kv_addr("peer", &conn->peer->peer.addr),
                     kv_str("why", why));
    }
    rpc_server_conn_free(conn);
}

static const struct rpc_mux_events conn_events = {
    .on_begin = on_begin,
    .on_message = on_message,
    .on_cancel = on_cancel,
    .on_idle = on_idle,
    .on_end = on_end,
};

void rpc_server_conn_new(struct rpc_server *server, struct base_stream *stream,
                         const struct rpc_peer *peer, bool single)
{
    struct server_conn *conn;

    BASE_NEW(conn);
    conn->server = server;
    conn->single = single;
    conn->peer = rpc_peer_ref_new(peer);
    TAILQ_INIT(&conn->calls);
    LIST_INSERT_HEAD(&server->conns, conn, link);
    conn->mux = rpc_mux_new(server->env, stream, true, &server->limits,
                            &conn_events, conn);
    if (server->shutting_down)
        rpc_server_conn_leave(conn);
}
