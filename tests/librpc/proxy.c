#include "proxy.h"

#include <string.h>

#include "rpc/sni.h"

struct proxy_conn {
    struct proxy *proxy;
    struct proxy_conn *next;
    struct base_stream *client;
    struct base_stream *server; /* NULL until connected */
    struct base_dial *dial;
};

static void conn_free(struct proxy_conn *conn)
{
    struct proxy_conn **at = &conn->proxy->conns;

    while (*at != conn)
        at = &(*at)->next;
    *at = conn->next;
    if (conn->dial != NULL)
        base_net_dial_cancel(conn->proxy->world->gateway.net, conn->dial);
    base_stream_close(conn->client);
    if (conn->server != NULL)
        base_stream_close(conn->server);
    base_free(conn);
}

/* Passes on what came, spoiling a byte if told to. */
static void pass(struct base_stream *from, struct base_stream *to,
                 uint64_t *count, uint64_t spoil_at)
{
    size_t len = base_stream_len(from);
    uint8_t *copy;

    if (to == NULL || len == 0)
        return;
    copy = base_memdup(base_stream_data(from), len);
    if (spoil_at > *count && spoil_at <= *count + len)
        copy[spoil_at - *count - 1] ^= 0x40;
    *count += len;
    base_stream_write(to, copy, len);
    base_stream_consume(from, len);
    base_free(copy);
}

static void up(void *arg)
{
    struct proxy_conn *conn = arg;

    pass(conn->client, conn->server, &conn->proxy->bytes_up,
         conn->proxy->spoil_at);
}

static void down(void *arg)
{
    struct proxy_conn *conn = arg;

    pass(conn->server, conn->client, &conn->proxy->bytes_down, 0);
}

static void on_client_closed(void *arg, int err)
{
    struct proxy_conn *conn = arg;

    if (err != 0 || conn->server == NULL) {
        conn_free(conn);
        return;
    }
    base_stream_shutdown(conn->server);
    if (conn->server->closed_in && base_stream_pending(conn->client) == 0)
        conn_free(conn);
}

static void on_server_closed(void *arg, int err)
{
    struct proxy_conn *conn = arg;

    if (err != 0) {
        conn_free(conn);
        return;
    }
    base_stream_shutdown(conn->client);
}

static const struct base_stream_events client_events = {
    .on_readable = up, .on_closed = on_client_closed};
static const struct base_stream_events server_events = {
    .on_readable = down, .on_closed = on_server_closed};

static void on_connected(void *arg, int status, struct base_stream *stream)
{
    struct proxy_conn *conn = arg;

    conn->dial = NULL;
    if (status != 0) {
        conn_free(conn);
        return;
    }
    conn->server = stream;
    base_stream_set_events(stream, &server_events, conn);
    base_stream_set_events(conn->client, &client_events, conn);
}

static const struct base_addr *find_route(const struct proxy *proxy,
                                          const char *name)
{
    unsigned i;

    for (i = 0; i < proxy->route_count; i++)
        if (proxy->routes[i].name == NULL ||
            strcmp(proxy->routes[i].name, name) == 0)
            return &proxy->routes[i].to;
    return NULL;
}

static void on_hello(void *arg)
{
    struct proxy_conn *conn = arg;
    struct proxy *proxy = conn->proxy;
    enum rpc_sni rv =
        rpc_sni_read(base_stream_data(conn->client),
                     base_stream_len(conn->client), proxy->last_name);
    const struct base_addr *to;

    if (rv == RPC_SNI_MORE)
        return;
    to = find_route(proxy, proxy->last_name);
    if (to == NULL) {
        conn_free(conn);
        return;
    }
    base_stream_set_events(conn->client, NULL, NULL);
    ck_assert_int_eq(base_net_dial(proxy->world->gateway.net, to,
                                   &proxy->world->gateway.addr, 5000,
                                   on_connected, conn, &conn->dial),
                     0);
}

static void on_early_close(void *arg, int err)
{
    (void)err;
    conn_free(arg);
}

static const struct base_stream_events hello_events = {
    .on_readable = on_hello, .on_closed = on_early_close};

static void on_accept(void *arg, struct base_stream *stream)
{
    struct proxy *proxy = arg;
    struct proxy_conn *conn;

    BASE_NEW(conn);
    conn->proxy = proxy;
    conn->client = stream;
    conn->next = proxy->conns;
    proxy->conns = conn;
    proxy->connections++;
    base_stream_set_events(stream, &hello_events, conn);
}

struct proxy *proxy_new(struct world *world)
{
    struct proxy *proxy;

    BASE_NEW(proxy);
    proxy->world = world;
    ck_assert_int_eq(base_net_listen(world->gateway.net, &world->gateway.addr,
                                     on_accept, proxy, &proxy->listener),
                     0);
    base_net_listener_addr(world->gateway.net, proxy->listener, &proxy->addr);
    return proxy;
}

void proxy_route(struct proxy *proxy, const char *name,
                 const struct base_addr *to)
{
    ck_assert_uint_lt(proxy->route_count, PROXY_ROUTES_MAX);
    proxy->routes[proxy->route_count].name = name;
    proxy->routes[proxy->route_count++].to = *to;
}

void proxy_cut(struct proxy *proxy)
{
    struct proxy_conn *conn;

    for (conn = proxy->conns; conn != NULL; conn = conn->next) {
        base_stream_shutdown(conn->client);
        if (conn->server != NULL)
            base_stream_shutdown(conn->server);
    }
}

void proxy_freeze(struct proxy *proxy)
{
    struct proxy_conn *conn;

    for (conn = proxy->conns; conn != NULL; conn = conn->next) {
        base_stream_set_events(conn->client, NULL, NULL);
        if (conn->server != NULL)
            base_stream_set_events(conn->server, NULL, NULL);
    }
}

void proxy_free(struct proxy *proxy)
{
    while (proxy->conns != NULL)
        conn_free(proxy->conns);
    base_net_listener_close(proxy->world->gateway.net, proxy->listener);
    base_free(proxy);
}
