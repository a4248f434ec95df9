/*
 * The way of one connection: it waits for its hello, then for a target to
 * answer, then it is a relay (in the kernel where that can be). Each state knows what it holds, and
 * proxy_conn_free() lets go of it in any. The hello stays in the client's input
 * buffer the whole time, so the relay passes it on as the first bytes.
 */
#include "gateway/proxy_priv.h"

#include "base/alloc.h"
#include "base/error.h"
#include "gateway/splicer.h"
#include "rpc/sni.h"

#define TRIES_MAX 4 /* dials for one connection */

struct proxy_conn {
    TAILQ_ENTRY(proxy_conn) link;
    struct proxy *proxy;
    struct base_addr from;
    bool waiting;               /* for its hello */
    struct base_stream *client; /* NULL once the relay has it */
    struct base_timer deadline; /* of the hello */
    struct base_dial *dial;
    struct relay *relay;   /* of these two at most one is there */
    struct splice *splice;
    struct target *target; /* held */
    struct base_addr tried[TRIES_MAX];
    size_t tried_count;
    char name[254];
};

static void dial_next(struct proxy_conn *conn);

/* ---- ends -----------------------------------------------------------------
 */

static void release_target(struct proxy_conn *conn)
{
    if (conn->target != NULL)
        targets_release(conn->proxy->targets, conn->target);
    conn->target = NULL;
}

static void forget(struct proxy_conn *conn)
{
    struct proxy *proxy = conn->proxy;

    if (conn->waiting)
        TAILQ_REMOVE(&proxy->waiting, conn, link);
    else
        TAILQ_REMOVE(&proxy->going, conn, link);
    base_timer_stop(&conn->deadline);
    release_target(conn);
    proxy_left(proxy, &conn->from);
    base_free(conn);
}

void proxy_conn_free(struct proxy_conn *conn)
{
    if (conn->dial != NULL)
        base_net_dial_cancel(conn->proxy->net, conn->dial);
    if (conn->splice != NULL)
        splice_free(conn->splice);
    if (conn->relay != NULL)
        relay_free(conn->relay);
    if (conn->client != NULL)
        base_stream_close(conn->client);
    forget(conn);
}

void proxy_conn_refuse(struct proxy_conn *conn, enum proxy_refused reason)
{
    proxy_refuse(conn->proxy, reason, &conn->from,
                 *conn->name != '\0' ? conn->name : NULL);
    proxy_conn_free(conn);
}

/* ---- joined ---------------------------------------------------------------
 */

static void on_relay_done(void *arg, enum relay_end_reason reason)
{
    struct proxy_conn *conn = arg;

    conn->relay = NULL;
    conn->splice = NULL;
    base_counter_add(conn->proxy->ended[reason], 1);
    forget(conn);
}

static void join(struct proxy_conn *conn, struct base_stream *server,
                 const struct route *row)
{
    struct proxy *proxy = conn->proxy;
    const struct series_entry *counters = series_get(proxy->rows, row->pattern);
    struct relay_config config = {
        .env = proxy->env,
        .a = conn->client,
        .b = server,
        .idle_ms = proxy->config.idle_ms,
        .half_idle_ms = proxy->config.half_idle_ms,
        .a_bytes = counters->counters[ROUTE_BYTES_IN],
        .b_bytes = counters->counters[ROUTE_BYTES_OUT],
        .done = on_relay_done,
        .arg = conn,
    };

    base_counter_add(counters->counters[ROUTE_CONNECTIONS], 1);
    base_counter_add(series_get(proxy->names, conn->name)->counters[0], 1);
    conn->client = NULL;
    if (proxy->config.splicer != NULL)
        conn->splice = splice_new(proxy->config.splicer, &config);
    if (conn->splice == NULL)
        conn->relay = relay_new(&config);
}

/* ---- dialling -------------------------------------------------------------
 */

static void count_failed_dial(struct proxy_conn *conn, int status)
{
    struct proxy *proxy = conn->proxy;
    const struct route *row = routes_find(proxy->routes, conn->name);

    base_counter_add(
        series_get(proxy->dials_failed, row != NULL ? row->pattern : "none")
            ->counters[0],
        1);
    base_log(&proxy->log, BASE_LOG_DEBUG, "dial failed",
             kv_addr("to", target_addr(conn->target)),
             kv_str("name", conn->name),
             kv_str("error", base_strerror(status)));
    /* Without descriptors it is we who fail. */
    if (status != BASE_ENFILE)
        targets_report(proxy->targets, conn->target, true);
    release_target(conn);
}

static void on_dialled(void *arg, int status, struct base_stream *server)
{
    struct proxy_conn *conn = arg;
    const struct route *row = routes_find(conn->proxy->routes, conn->name);

    conn->dial = NULL;
    if (status < 0) {
        count_failed_dial(conn, status);
        dial_next(conn);
        return;
    }
    targets_report(conn->proxy->targets, conn->target, false);
    if (row == NULL) { /* taken away while we dialled */
        base_stream_close(server);
        proxy_conn_refuse(conn, PROXY_NO_ROUTE);
        return;
    }
    base_env_trace(conn->proxy->env, "gateway", "joined %s", conn->name);
    join(conn, server, row);
}

static const struct base_addr *source_for(const struct proxy *proxy,
                                          const struct route *row,
                                          const struct base_addr *to)
{
    const struct base_addr *from =
        row->wan ? &proxy->config.from_wan : &proxy->config.from_lan;

    return from->family == to->family ? from : NULL;
}

/* Starts to dial the held target; false if that failed at once. */
static bool dial(struct proxy_conn *conn, const struct route *row, bool last)
{
    struct proxy *proxy = conn->proxy;
    const struct base_addr *to = target_addr(conn->target);
    uint32_t timeout_ms = proxy->config.dial_timeout_ms;
    int rv;

    conn->tried[conn->tried_count++] = *to;
    /* The client has a deadline of its own: with another target left, a dead
     * one must not use it up. */
    rv = base_net_dial(proxy->net, to, source_for(proxy, row, to),
                       last ? timeout_ms : timeout_ms / 4 + 1, on_dialled, conn,
                       &conn->dial);
    if (rv < 0)
        count_failed_dial(conn, rv);
    return rv == 0;
}

/* The row is looked up for each try: it may have changed meanwhile. */
static void dial_next(struct proxy_conn *conn)
{
    struct proxy *proxy = conn->proxy;
    const struct route *row = routes_find(proxy->routes, conn->name);
    bool last;

    if (row == NULL) {
        proxy_conn_refuse(conn, PROXY_NO_ROUTE);
        return;
    }
    while (conn->tried_count < TRIES_MAX) {
        conn->target =
            targets_pick(proxy->targets, row->targets, row->target_count,
                         conn->tried, conn->tried_count, &last);
        if (conn->target == NULL)
            break;
        if (dial(conn, row, last || conn->tried_count + 1 == TRIES_MAX))
            return;
    }
    proxy_conn_refuse(conn, conn->tried_count == 0 ? PROXY_NO_TARGET
                                                   : PROXY_DIAL_FAILED);
}

/* ---- the hello ------------------------------------------------------------
 */

static void on_hello(struct proxy_conn *conn)
{
    struct proxy *proxy = conn->proxy;

    base_timer_stop(&conn->deadline);
    TAILQ_REMOVE(&proxy->waiting, conn, link);
    conn->waiting = false;
    TAILQ_INSERT_TAIL(&proxy->going, conn, link);
    dial_next(conn);
}

static void on_readable(void *arg)
{
    struct proxy_conn *conn = arg;
    size_t len = base_stream_len(conn->client);

    if (!conn->waiting)
        return; /* more than the hello: it waits for the relay */
    switch (rpc_sni_read(base_stream_data(conn->client), len, conn->name)) {
    case RPC_SNI_MORE:
        if (len >= RPC_SNI_INPUT_BYTES_MAX)
            proxy_conn_refuse(conn, PROXY_MALFORMED);
        break;
    case RPC_SNI_FOUND:
        on_hello(conn);
        break;
    case RPC_SNI_NONE:
        proxy_conn_refuse(conn, PROXY_NO_SNI);
        break;
    case RPC_SNI_NOT_TLS:
        proxy_conn_refuse(conn, PROXY_NOT_TLS);
        break;
    case RPC_SNI_MALFORMED:
        proxy_conn_refuse(conn, PROXY_MALFORMED);
        break;
    }
}

static void on_closed(void *arg, int err)
{
    struct proxy_conn *conn = arg;

    /* A client that has said all it will say can still be answered. */
    if (conn->waiting || err != 0)
        proxy_conn_refuse(conn, PROXY_CLOSED);
}

static void on_deadline(void *arg)
{
    proxy_conn_refuse(arg, PROXY_SLOW);
}

static const struct base_stream_events client_events = {
    .on_readable = on_readable, .on_closed = on_closed};

void proxy_conn_open(struct proxy *proxy, struct base_stream *client)
{
    struct proxy_conn *conn;

    BASE_NEW(conn);
    conn->proxy = proxy;
    conn->client = client;
    conn->from = client->peer;
    conn->waiting = true;
    TAILQ_INSERT_TAIL(&proxy->waiting, conn, link);
    base_timer_init(&conn->deadline, proxy->env, "gateway-hello", on_deadline,
                    conn);
    base_timer_start_ms(&conn->deadline, proxy->config.hello_timeout_ms);
    base_stream_set_in_limit(client, RPC_SNI_INPUT_BYTES_MAX);
    base_stream_set_events(client, &client_events, conn);
}
