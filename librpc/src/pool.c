/*
 * The asking side: servers by (dc, node, address), their connections, and the
 * calls that wait for one. A further connection is dialled when all are full,
 * up to CONNS_MAX; then calls wait in turn. Dialling is dialer.c's, a
 * connection pool_conn.c's, a call pool_call.c's.
 */
#include "rpc/pool.h"

#include <string.h>
#include <strings.h>

#include "base/alloc.h"
#include "base/error.h"
#include "pool_priv.h"

#define DIAL_TIMEOUT_MS 10000u
#define IDLE_TIMEOUT_MS 120000u
#define STREAMS_MAX 64u
#define CONNS_MAX 8u
#define CONNS_LEAVING_MAX 24u /* and those that end their last calls */
#define WAITING_MAX 1024u
/* A server that could not be dialled twice is left alone for so long, doubled
 * each time: calls to it fail at once. Once may have been a gateway's fault, of
 * which there are others. */
#define REDIAL_MS_MIN 100u
#define REDIAL_MS_MAX 1000u

int rpc_pool_new(struct base_env *env, struct rpc_dialer *dialer,
                 const struct rpc_pool_config *config, struct rpc_pool **out)
{
    struct rpc_pool *pool;

    BASE_NEW(pool);
    pool->env = env;
    pool->dialer = dialer;
    pool->dial_timeout_ms = config->dial_timeout_ms != 0
                                ? config->dial_timeout_ms
                                : DIAL_TIMEOUT_MS;
    pool->limits = (struct rpc_mux_limits){
        config->message_bytes_max != 0 ? config->message_bytes_max
                                       : RPC_MESSAGE_BYTES_MAX,
        config->streams_max != 0 ? config->streams_max : STREAMS_MAX,
        config->idle_timeout_ms != 0 ? config->idle_timeout_ms
                                     : IDLE_TIMEOUT_MS};
    LIST_INIT(&pool->hosts);
    pool_queue_init(&pool->ending);
    *out = pool;
    return 0;
}

/* ---- servers ---- */

static void host_free(struct pool_host *host)
{
    LIST_REMOVE(host, link);
    base_free(host->dc);
    base_free(host->node);
    base_free(host);
}

/* Frees servers that nothing is under way with, when a new one comes. Nobody
 * below us on the stack holds one: done functions are called last. */
static void sweep(struct rpc_pool *pool)
{
    struct pool_host *host;
    struct pool_host *next;

    for (host = LIST_FIRST(&pool->hosts); host != NULL; host = next) {
        next = LIST_NEXT(host, link);
        if (host->conn_count == 0 && host->waiting.count == 0 &&
            host->dial == NULL &&
            host->dial_after_ms <= base_env_now_ms(pool->env))
            host_free(host);
    }
}

static struct pool_host *find_host(struct rpc_pool *pool,
                                   const struct rpc_target *target)
{
    const char *node = target->node != NULL ? target->node : "";
    struct pool_host *host;

    LIST_FOREACH(host, &pool->hosts, link)
        if (strcasecmp(host->dc, target->dc) == 0 &&
            strcasecmp(host->node, node) == 0 &&
            base_addr_equal(&host->addr, &target->addr))
            return host;
    sweep(pool);
    BASE_NEW(host);
    host->pool = pool;
    host->dc = base_strdup(target->dc);
    host->node = base_strdup(node);
    host->addr = target->addr;
    TAILQ_INIT(&host->conns);
    pool_queue_init(&host->waiting);
    LIST_INSERT_HEAD(&pool->hosts, host, link);
    return host;
}

static struct pool_call *take_waiting(struct pool_host *host)
{
    struct pool_call *call = TAILQ_FIRST(&host->waiting.calls);

    if (call == NULL)
        return NULL;
    pool_call_take_out(call);
    return call;
}

static void fail_waiting(struct pool_host *host, int status)
{
    struct pool_call *call;

    while ((call = take_waiting(host)) != NULL)
        pool_call_end_soon(call, status, rpc_strerror(status));
}

static unsigned staying(const struct pool_host *host)
{
    const struct pool_conn *conn;
    unsigned count = 0;

    TAILQ_FOREACH(conn, &host->conns, link)
        count += !conn->leaving;
    return count;
}

/* Where there are other connections the calls go on waiting for those; one that
 * leaves takes none. */
static void cannot_dial(struct pool_host *host, int status)
{
    if (staying(host) == 0)
        fail_waiting(host, status);
}

static void note_dial(struct pool_host *host, int status)
{
    struct base_env *env = host->pool->env;
    uint64_t wait_ms = REDIAL_MS_MIN;
    unsigned i;

    host->dial_status = status;
    host->dial_failures = status != 0 ? host->dial_failures + 1 : 0;
    if (host->dial_failures < 2)
        return;
    for (i = 2; i < host->dial_failures && wait_ms < REDIAL_MS_MAX; i++)
        wait_ms *= 2;
    if (wait_ms > REDIAL_MS_MAX)
        wait_ms = REDIAL_MS_MAX;
    /* A tenth of chance, or all that lost it come back at once. */
    host->dial_after_ms = base_env_now_ms(env) + wait_ms +
                          base_env_random_below(env, wait_ms / 10 + 1);
}

static void on_dialled(void *arg, int status, struct base_stream *stream,
                       const struct rpc_peer *peer)
{
    struct pool_host *host = arg;

    (void)peer;
    host->dial = NULL;
    note_dial(host, status);
    if (status != 0) {
        cannot_dial(host, status);
        return;
    }
    pool_conn_new(host, stream);
    pool_host_dispatch(host);
}

/* One that leaves may have a blocking query for minutes: it takes no place of
 * those that can be asked. */
static bool has_place(const struct pool_host *host)
{
    return staying(host) < CONNS_MAX &&
           host->conn_count < CONNS_MAX + CONNS_LEAVING_MAX;
}

static void dial(struct pool_host *host)
{
    struct rpc_target target = {
        .dc = host->dc, .node = host->node, .addr = host->addr};
    int rv;

    if (host->dial != NULL || !has_place(host))
        return;
    if (base_env_now_ms(host->pool->env) < host->dial_after_ms) {
        cannot_dial(host, host->dial_status);
        return;
    }
    rv = rpc_dialer_dial(host->pool->dialer, &target, RPC_PROTOCOL_MULTI,
                         host->pool->dial_timeout_ms, on_dialled, host,
                         &host->dial);
    if (rv < 0) {
        host->dial = NULL;
        cannot_dial(host, rv);
    }
}

/* *checking: one may have room soon. */
static struct pool_conn *conn_with_room(struct pool_host *host, bool *checking)
{
    struct pool_conn *conn;

    *checking = false;
    TAILQ_FOREACH(conn, &host->conns, link) {
        if (pool_conn_has_room(conn)) {
            if (!pool_conn_is_doubtful(conn))
                return conn;
            pool_conn_check(conn);
        }
        *checking |= conn->checking && !conn->leaving;
    }
    return NULL;
}

void pool_host_dispatch(struct pool_host *host)
{
    struct pool_conn *conn;
    bool checking = false;

    while (host->waiting.count > 0 &&
           (conn = conn_with_room(host, &checking)) != NULL)
        pool_conn_send(conn, take_waiting(host));
    if (host->waiting.count > 0 && !checking)
        dial(host);
}

/* ---- public ---- */

int rpc_pool_call(struct rpc_pool *pool, const struct rpc_target *target,
                  const struct rpc_request *request, rpc_done_fn done,
                  void *arg, struct rpc_pending **out)
{
    struct pool_host *host;
    struct pool_call *call;
    int rv;

    if (out != NULL)
        *out = NULL;
    rv = pool->closing
             ? RPC_ECLOSED
             : rpc_request_check(request, pool->limits.message_bytes_max);
    if (rv < 0)
        return rv;
    call = pool_call_new(pool, request, done, arg);
    if (out != NULL)
        *out = &call->pending;
    if (request->timeout_ms == 0) {
        pool_call_end_soon(call, RPC_EDEADLINE, rpc_strerror(RPC_EDEADLINE));
        return 0;
    }
    host = find_host(pool, target);
    if (host->waiting.count >= WAITING_MAX) {
        pool_call_end_soon(call, RPC_EBUSY, rpc_strerror(RPC_EBUSY));
        return 0;
    }
    pool_call_put(call, &host->waiting);
    pool_host_dispatch(host);
    return 0;
}

void rpc_pool_forget(struct rpc_pool *pool, const char *dc, const char *node)
{
    struct pool_host *host;
    struct pool_conn *conn;

    LIST_FOREACH(host, &pool->hosts, link) {
        if (strcasecmp(host->dc, dc) != 0 || strcasecmp(host->node, node) != 0)
            continue;
        TAILQ_FOREACH(conn, &host->conns, link)
            if (conn->calls.count == 0)
                pool_conn_leave(conn);
    }
}

void rpc_pool_renew(struct rpc_pool *pool, rpc_is_way_fn is_way, void *arg)
{
    struct pool_host *host;
    struct pool_conn *conn;

    LIST_FOREACH(host, &pool->hosts, link) {
        host->dial_after_ms = 0;
        TAILQ_FOREACH(conn, &host->conns, link)
            if (!conn->leaving && !is_way(arg, host->dc, &conn->to))
                pool_conn_leave(conn);
    }
}

static void end_calls(struct pool_queue *queue)
{
    struct pool_call *call;

    while ((call = TAILQ_FIRST(&queue->calls)) != NULL) {
        pool_call_take_out(call);
        call->conn = NULL;
        pool_call_finish(call, RPC_ECANCELLED, rpc_strerror(RPC_ECANCELLED),
                         NULL, 0);
    }
}

void rpc_pool_free(struct rpc_pool *pool)
{
    struct pool_host *host;
    struct pool_conn *conn;

    if (pool == NULL)
        return;
    pool->closing = true;
    end_calls(&pool->ending);
    while ((host = LIST_FIRST(&pool->hosts)) != NULL) {
        if (host->dial != NULL)
            rpc_dial_cancel(host->dial);
        end_calls(&host->waiting);
        while ((conn = TAILQ_FIRST(&host->conns)) != NULL) {
            end_calls(&conn->calls);
            pool_conn_free(conn);
        }
        host_free(host);
    }
    base_free(pool);
}
