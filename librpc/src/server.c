/*
 * The serving side: methods by name and who may call them. Connections are
 * server_conn.c's, calls from our own process call_local.c's.
 */
#include "rpc/server.h"

#include <assert.h>
#include <stdio.h>
#include <string.h>

#include "base/alloc.h"
#include "rpc/protocol.h"
#include "refusal.h"
#include "server_priv.h"

#define STREAMS_MAX 64u
#define IDLE_TIMEOUT_MS 120000u

static void on_shutdown_timer(void *arg);

int rpc_server_new(struct base_env *env, const struct rpc_server_config *config,
                   struct rpc_server **out)
{
    struct rpc_server *server;

    *out = NULL;
    BASE_NEW(server);
    if (rpc_server_name(server->own_name, "", config->datacenter,
                        config->domain) < 0) {
        base_free(server);
        return RPC_EINVAL;
    }
    server->env = env;
    server->log = base_log_named(&env->log, "rpc");
    server->domain = base_strdup(config->domain);
    server->check_names = config->check_names;
    server->limits = (struct rpc_mux_limits){
        config->message_bytes_max != 0 ? config->message_bytes_max
                                       : RPC_MESSAGE_BYTES_MAX,
        config->streams_max != 0 ? config->streams_max : STREAMS_MAX,
        config->idle_timeout_ms != 0 ? config->idle_timeout_ms
                                     : IDLE_TIMEOUT_MS};
    SLIST_INIT(&server->methods);
    LIST_INIT(&server->conns);
    LIST_INIT(&server->locals);
    base_timer_init(&server->shutdown_timer, env, "rpc-shutdown",
                    on_shutdown_timer, server);
    *out = server;
    return 0;
}

/* Cuts off whatever there is. */
static void end_all(struct rpc_server *server)
{
    while (!LIST_EMPTY(&server->conns))
        rpc_server_conn_free(LIST_FIRST(&server->conns));
    while (!LIST_EMPTY(&server->locals))
        rpc_local_call_end(LIST_FIRST(&server->locals));
}

void rpc_server_free(struct rpc_server *server)
{
    struct rpc_method *method;

    if (server == NULL)
        return;
    server->shutdown_done = NULL;
    end_all(server);
    base_timer_stop(&server->shutdown_timer);
    while ((method = SLIST_FIRST(&server->methods)) != NULL) {
        SLIST_REMOVE_HEAD(&server->methods, link);
        base_free(method);
    }
    base_free(server->domain);
    base_free(server);
}

static void on_shutdown_timer(void *arg)
{
    struct rpc_server *server = arg;
    void (*done)(void *done_arg) = server->shutdown_done;

    server->shutdown_done = NULL;
    end_all(server);
    base_timer_stop(&server->shutdown_timer);
    done(server->shutdown_arg); /* may free the server */
}

void rpc_server_note_gone(struct rpc_server *server)
{
    if (server->shutdown_done != NULL && LIST_EMPTY(&server->conns) &&
        LIST_EMPTY(&server->locals))
        base_timer_start_ns(&server->shutdown_timer, 0);
}

void rpc_server_shutdown(struct rpc_server *server, uint32_t timeout_ms,
                         void (*done)(void *arg), void *arg)
{
    struct server_conn *conn;

    assert(!server->shutting_down);
    server->shutting_down = true;
    server->shutdown_done = done;
    server->shutdown_arg = arg;
    base_timer_start_ms(&server->shutdown_timer, timeout_ms);
    for (conn = LIST_FIRST(&server->conns); conn != NULL;
         conn = rpc_server_conn_next(conn))
        rpc_server_conn_leave(conn);
    rpc_server_note_gone(server);
}

void rpc_server_method(struct rpc_server *server, const char *name,
                       unsigned flags, rpc_method_fn run, void *arg)
{
    struct rpc_method *method;

    BASE_NEW(method);
    method->name = name;
    method->flags = flags;
    method->run = run;
    method->arg = arg;
    method->requests = base_metrics_counter(server->env->metrics,
                                            "isthmus.rpc.request", "method",
                                            name);
    method->duration = base_metrics_histogram(server->env->metrics,
                                              "isthmus.rpc.request_us",
                                              "method", name);
    SLIST_INSERT_HEAD(&server->methods, method, link);
}

/* Server-only RPCs: a valid certificate is not enough (federation.md 3). */
static bool may_call(const struct rpc_server *server,
                     const struct rpc_method *method,
                     const struct rpc_peer *peer)
{
    if (peer == NULL || !server->check_names)
        return true;
    if ((method->flags & RPC_METHOD_OWN_DC) != 0)
        return rpc_peer_has_name(peer, server->own_name);
    if ((method->flags & RPC_METHOD_SERVERS) != 0)
        return rpc_peer_is_server(peer, server->domain);
    return true;
}

static void log_denied(struct rpc_server *server, const char *name,
                       const struct rpc_peer *peer)
{
    if (base_log_limit_pass(&server->log_limit, base_env_now_ns(server->env)))
        base_log(&server->log, BASE_LOG_WARN,
                 "refused a call: not a server's certificate",
                 kv_str("method", name), kv_addr("peer", &peer->addr),
                 kv_str("name", peer->name_count > 0 ? peer->names[0] : ""));
}

static struct rpc_method *named(struct rpc_server *server, const char *name)
{
    struct rpc_method *method;

    SLIST_FOREACH(method, &server->methods, link)
        if (strcmp(method->name, name) == 0)
            return method;
    return NULL;
}

struct rpc_method *rpc_server_find(struct rpc_server *server, const char *name,
                                   const struct rpc_peer *peer, int *code,
                                   char *text)
{
    struct rpc_method *method = named(server, name);

    if (method == NULL)
        method = named(server, "*");
    if (method == NULL) {
        *code = RPC_ENOMETHOD;
        snprintf(text, FRAME_TEXT_LEN_MAX + 1, "no such method: %s", name);
        rpc_refusal_count(server->env, "no-method");
        return NULL;
    }
    if (!may_call(server, method, peer)) {
        *code = RPC_EDENIED;
        snprintf(text, FRAME_TEXT_LEN_MAX + 1,
                 "permission denied: %s needs the certificate of a server",
                 name);
        rpc_refusal_count(server->env, "method-name");
        log_denied(server, name, peer);
        return NULL;
    }
    return method;
}

void rpc_server_run(struct rpc_method *method, struct rpc_call *call)
{
    base_counter_add(method->requests, 1);
    call->duration = method->duration;
    base_env_trace(call->env, "rpc", "call %s id=%u bytes=%zu hops=%u",
                   call->method, (unsigned)call->id,
                   base_buf_len(&call->body), call->hops);
    method->run(method->arg, call);
}

void rpc_server_accept_multi(struct rpc_server *server,
                             struct base_stream *stream,
                             const struct rpc_peer *peer)
{
    rpc_server_conn_new(server, stream, peer, false);
}

void rpc_server_accept_single(struct rpc_server *server,
                              struct base_stream *stream,
                              const struct rpc_peer *peer)
{
    rpc_server_conn_new(server, stream, peer, true);
}
