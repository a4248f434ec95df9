/*
 * The way of one connection, from its first byte to its last. Each state knows
 * what it holds, and proxy_conn_free() lets go of it in any. The hello stays in
 * the client's input buffer until the relay passes it on as the first bytes.
 */
#include "gateway/proxy_priv.h"

#include <string.h>

#include "base/alloc.h"
#include "base/error.h"
#include "gateway/access_log.h"
#include "gateway/proxy_protocol.h"
#include "gateway/splicer.h"
#include "rpc/sni.h"

static void dial_next(struct proxy_conn *conn);

/* ---- ends -----------------------------------------------------------------
 */

static void release_target(struct proxy_conn *conn)
{
    if (conn->target != NULL)
        targets_release(conn->proxy->shared->targets, conn->proxy->env,
                        conn->target);
    conn->target = NULL;
}

static void forget(struct proxy_conn *conn)
{
    struct proxy *proxy = conn->proxy;

    if (conn->waiting)
        TAILQ_REMOVE(&proxy->waiting, conn, link);
    else
        TAILQ_REMOVE(&proxy->going, conn, link);
    release_target(conn);
    if (conn->counted)
        source_limit_leave(proxy->shared->sources, &conn->from);
    base_free(conn);
    proxy_left(proxy);
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

static void write_access(const struct proxy_conn *conn, const char *why,
                         const struct relay_end *end)
{
    const struct proxy *proxy = conn->proxy;
    struct access_line line = {.from = &conn->from, .name = conn->name,
                               .end = why};

    if (proxy->config.access_log == NULL)
        return;
    line.ms = base_env_now_ms(proxy->env) - conn->came_ms;
    if (end != NULL) {
        line.to = target_addr(conn->target);
        line.bytes_in = end->a_bytes;
        line.bytes_out = end->b_bytes;
    }
    access_log_write(proxy->config.access_log, &line);
}

void proxy_conn_refuse(struct proxy_conn *conn, enum proxy_refused reason)
{
    proxy_refuse(conn->proxy, reason, &conn->from,
                 *conn->name != '\0' ? conn->name : NULL);
    write_access(conn, proxy_refused_label(reason), NULL);
    proxy_conn_free(conn);
}

/* ---- joined ---------------------------------------------------------------
 */

static void note_end(const struct proxy_conn *conn, const struct relay_end *end)
{
    struct proxy_shared *shared = conn->proxy->shared;
    enum targets_outcome outcome = TARGETS_ANSWERED;

    base_counter_add(shared->ended[end->reason], 1);
    write_access(conn, proxy_ended_label(end->reason), end);
    if (end->reason == RELAY_SILENT || end->b_gave_up)
        outcome = TARGETS_SILENT;
    else if (end->b_bytes == 0)
        return; /* the client went first: nothing is known */
    targets_report(shared->targets, conn->proxy->env, conn->target, outcome);
}

static void on_relay_done(void *arg, const struct relay_end *end)
{
    struct proxy_conn *conn = arg;

    conn->relay = NULL;
    conn->splice = NULL;
    note_end(conn, end);
    forget(conn);
}

void proxy_conn_end(struct proxy_conn *conn)
{
    struct relay_end end;

    if (conn->splice == NULL && conn->relay == NULL) {
        proxy_conn_refuse(conn, PROXY_DRAINED);
        return;
    }
    end = conn->splice != NULL ? splice_so_far(conn->splice)
                               : relay_so_far(conn->relay);
    end.reason = RELAY_DRAINED;
    note_end(conn, &end);
    proxy_conn_free(conn);
}

/* A header of the PROXY protocol for who is to have one. */
static size_t make_header(const struct proxy_conn *conn,
                          unsigned char out[PROXY_HEADER_BYTES_MAX])
{
    const struct proxy_config *config = &conn->proxy->config;
    size_t i;

    for (i = 0; i < config->header_to_count; i++)
        if (base_cidr_contains(&config->header_to[i],
                               target_addr(conn->target)))
            return proxy_header_write(&conn->from, &conn->to, out);
    return 0;
}

static void join(struct proxy_conn *conn, struct base_stream *server,
                 const struct route *row)
{
    struct proxy *proxy = conn->proxy;
    struct proxy_shared *shared = proxy->shared;
    struct base_counter *const *by_row =
        series_get(shared->rows, row->pattern)->counters;
    char to[BASE_ADDR_TEXT_MAX];
    struct base_counter *const *by_target =
        series_get(shared->dialled,
                   base_addr_format(target_addr(conn->target), to))
            ->counters;
    unsigned char header[PROXY_HEADER_BYTES_MAX];
    struct relay_config config = {
        .env = proxy->env,
        .a = conn->client,
        .b = server,
        .idle_ms = proxy->config.idle_ms,
        .half_idle_ms = proxy->config.half_idle_ms,
        .answer_ms = proxy->config.answer_ms,
        .prefix = header,
        .prefix_len = make_header(conn, header),
        .a_bytes = {by_row[SERIES_BYTES_IN], by_target[SERIES_BYTES_IN]},
        .b_bytes = {by_row[SERIES_BYTES_OUT], by_target[SERIES_BYTES_OUT]},
        .done = on_relay_done,
        .arg = conn,
    };

    base_counter_add(by_row[SERIES_CONNECTIONS], 1);
    base_counter_add(by_target[SERIES_CONNECTIONS], 1);
    base_counter_add(series_get(shared->names, conn->name)->counters[0], 1);
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

    base_counter_add(series_get(proxy->shared->dials_failed,
                                row != NULL ? row->pattern : "none")
                         ->counters[0],
                     1);
    base_log(&proxy->log, BASE_LOG_DEBUG, "dial failed",
             kv_addr("to", target_addr(conn->target)),
             kv_str("name", conn->name),
             kv_str("error", base_strerror(status)));
    /* Without descriptors it is we who fail. */
    if (status != BASE_ENFILE)
        targets_report(proxy->shared->targets, proxy->env, conn->target,
                       TARGETS_DIAL_FAILED);
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
    targets_report(conn->proxy->shared->targets, conn->proxy->env, conn->target,
                   TARGETS_CONNECTED);
    if (row == NULL || (conn->client->closed_in &&
                        conn->client->close_err != 0)) {
        base_stream_close(server);
        /* Taken away while we dialled; or the client went. */
        proxy_conn_refuse(conn, row == NULL ? PROXY_NO_ROUTE : PROXY_CLOSED);
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
    while (conn->tried_count < PROXY_TRIES_MAX) {
        conn->target = targets_pick(proxy->shared->targets, proxy->env,
                                    row->targets, row->target_count,
                                    conn->tried, conn->tried_count, &last);
        if (conn->target == NULL)
            break;
        if (dial(conn, row, last || conn->tried_count + 1 == PROXY_TRIES_MAX))
            return;
    }
    proxy_conn_refuse(conn, conn->tried_count == 0 ? PROXY_NO_TARGET
                                                   : PROXY_DIAL_FAILED);
}

/* ---- the first bytes ------------------------------------------------------
 */

/* What is settled is no longer waiting for input: refused (and gone), or on its
 * way to a target. */
enum progress { WAITS, SETTLED };

static enum progress refuse(struct proxy_conn *conn, enum proxy_refused reason)
{
    proxy_conn_refuse(conn, reason);
    return SETTLED;
}

static enum progress on_hello(struct proxy_conn *conn, size_t bytes)
{
    struct proxy *proxy = conn->proxy;

    base_counter_add(proxy->shared->hello_bytes, bytes);
    TAILQ_REMOVE(&proxy->waiting, conn, link);
    conn->waiting = false;
    TAILQ_INSERT_TAIL(&proxy->going, conn, link);
    dial_next(conn);
    return SETTLED;
}

static enum progress read_hello(struct proxy_conn *conn)
{
    size_t len = base_stream_len(conn->client);
    struct rpc_hello hello;

    switch (rpc_hello_read(base_stream_data(conn->client), len, &hello)) {
    case RPC_SNI_MORE:
        return len >= RPC_SNI_INPUT_BYTES_MAX ? refuse(conn, PROXY_MALFORMED)
                                              : WAITS;
    case RPC_SNI_FOUND:
        memcpy(conn->name, hello.server_name, sizeof(conn->name));
        return on_hello(conn, hello.bytes);
    case RPC_SNI_NONE:
        return refuse(conn, PROXY_NO_SNI);
    case RPC_SNI_NOT_TLS:
        return refuse(conn, PROXY_NOT_TLS);
    case RPC_SNI_MALFORMED:
        break;
    }
    return refuse(conn, PROXY_MALFORMED);
}

static enum progress read_header(struct proxy_conn *conn)
{
    size_t len;

    switch (proxy_header_read(base_stream_data(conn->client),
                              base_stream_len(conn->client), &len, &conn->from,
                              &conn->to)) {
    case PROXY_HEADER_MORE:
        return WAITS;
    case PROXY_HEADER_BAD:
        return refuse(conn, PROXY_BAD_HEADER);
    case PROXY_HEADER_FOUND:
        break;
    }
    conn->needs_header = false;
    base_stream_consume(conn->client, len);
    if (!source_limit_enter(conn->proxy->shared->sources, &conn->from))
        return refuse(conn, PROXY_LIMIT_SOURCE);
    conn->counted = true;
    return base_stream_len(conn->client) > 0 ? read_hello(conn) : WAITS;
}

static enum progress read_input(struct proxy_conn *conn)
{
    return conn->needs_header ? read_header(conn) : read_hello(conn);
}

static void on_readable(void *arg)
{
    struct proxy_conn *conn = arg;

    if (conn->waiting) /* else: it waits for the relay */
        read_input(conn);
}

static void on_closed(void *arg, int err)
{
    struct proxy_conn *conn = arg;

    /* A client that has said all it will say can still be answered. */
    if (conn->waiting || err != 0)
        proxy_conn_refuse(conn, PROXY_CLOSED);
}

static const struct base_stream_events client_events = {
    .on_readable = on_readable, .on_closed = on_closed};

void proxy_conn_open(struct proxy *proxy, struct base_stream *client,
                     bool needs_header)
{
    struct proxy_conn *conn;

    BASE_NEW(conn);
    conn->proxy = proxy;
    conn->client = client;
    conn->from = client->peer;
    conn->to = client->local;
    conn->came_ms = base_env_now_ms(proxy->env);
    conn->needs_header = needs_header;
    conn->counted = !needs_header;
    conn->waiting = true;
    TAILQ_INSERT_TAIL(&proxy->waiting, conn, link);
    /* Mostly the hello is there already, and nothing more need be heard until
     * there is a target. */
    if (base_stream_len(client) > 0) {
        base_stream_set_in_limit(client, base_stream_len(client));
        if (read_input(conn) == SETTLED)
            return;
    }
    base_stream_set_in_limit(client,
                             RPC_SNI_INPUT_BYTES_MAX + PROXY_HEADER_INPUT_MAX);
    base_stream_set_events(client, &client_events, conn);
    proxy_wait(proxy);
}
