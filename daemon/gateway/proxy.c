/*
 * The proxy as a whole: what listens, who may come in, and the end. When all
 * places are taken, the connection that has waited for its hello the longest
 * goes: a flood of silent ones then keeps nobody out, as an honest client sends
 * its hello with its first packet.
 */
#include "gateway/proxy_priv.h"

#include "base/alloc.h"
#include "base/loop.h"

#define HELLO_TIMEOUT_MS 5000u
#define DIAL_TIMEOUT_MS 5000u
#define ANSWER_MS 15000u
#define IDLE_MS 900000u
#define HALF_IDLE_MS 60000u
#define CONNECTIONS_MAX 4096u
#define PER_SOURCE_MAX 2048u

void proxy_refuse(struct proxy *proxy, enum proxy_refused reason,
                  const struct base_addr *from, const char *name)
{
    struct base_log_limit *limit = &proxy->refused_limits[reason];
    const char *label = proxy_refused_label(reason);

    base_counter_add(proxy->shared->refused[reason], 1);
    base_env_trace(proxy->env, "gateway", "refused %s %s", label,
                   name != NULL ? name : "");
    if (!base_log_limit_pass(limit, base_env_now_ns(proxy->env)))
        return;
    base_log(&proxy->log, BASE_LOG_INFO, "refused", kv_str("reason", label),
             kv_addr("from", from), kv_str("name", name),
             kv_uint("suppressed", limit->suppressed));
}

/* ---- who comes in ---------------------------------------------------------
 */

static bool takes_header(const struct proxy *proxy,
                         const struct base_addr *peer)
{
    size_t i;

    for (i = 0; i < proxy->config.header_from_count; i++)
        if (base_cidr_contains(&proxy->config.header_from[i], peer))
            return true;
    return false;
}

/* Counts one more in; false if there is no room for it. */
static bool make_room(struct proxy *proxy)
{
    struct proxy_shared *shared = proxy->shared;

    if (atomic_fetch_add(&shared->conn_count, 1) < shared->connections_max)
        return true;
    if (!TAILQ_EMPTY(&proxy->waiting)) {
        proxy_conn_refuse(TAILQ_FIRST(&proxy->waiting), PROXY_CROWDED_OUT);
        return true;
    }
    atomic_fetch_sub(&shared->conn_count, 1);
    return false;
}

static void on_accept(void *arg, struct base_stream *client)
{
    struct proxy *proxy = arg;
    bool needs_header = takes_header(proxy, &client->peer);

    if (!needs_header &&
        !source_limit_enter(proxy->shared->sources, &client->peer)) {
        proxy_refuse(proxy, PROXY_LIMIT_SOURCE, &client->peer, NULL);
        base_stream_close(client);
    } else if (!make_room(proxy)) {
        if (!needs_header)
            source_limit_leave(proxy->shared->sources, &client->peer);
        proxy_refuse(proxy, PROXY_LIMIT, &client->peer, NULL);
        base_stream_close(client);
    } else {
        proxy->conn_count++;
        base_gauge_add(proxy->shared->open, 1);
        proxy_conn_open(proxy, client, needs_header);
    }
}

void proxy_left(struct proxy *proxy)
{
    atomic_fetch_sub(&proxy->shared->conn_count, 1);
    base_gauge_add(proxy->shared->open, -1);
    proxy->conn_count--;
    if (proxy->conn_count == 0 && proxy->drained != NULL)
        base_timer_start_ns(&proxy->drained_timer, 0);
}

/* ---- the deadline of hellos -----------------------------------------------
 * All have the same time, so the first to come is the first to run out. */

void proxy_wait(struct proxy *proxy)
{
    if (!base_timer_is_running(&proxy->hello_timer))
        base_timer_start_ms(&proxy->hello_timer,
                            proxy->config.hello_timeout_ms);
}

static void on_hello_timer(void *arg)
{
    struct proxy *proxy = arg;
    uint64_t now = base_env_now_ms(proxy->env);
    struct proxy_conn *conn;

    while ((conn = TAILQ_FIRST(&proxy->waiting)) != NULL) {
        uint64_t due = conn->came_ms + proxy->config.hello_timeout_ms;

        if (now < due) {
            base_timer_start_ms(&proxy->hello_timer, due - now);
            return;
        }
        proxy_conn_refuse(conn, PROXY_SLOW);
    }
}

/* ---- life -----------------------------------------------------------------
 */

static void fill_defaults(struct proxy_config *config)
{
    if (config->hello_timeout_ms == 0)
        config->hello_timeout_ms = HELLO_TIMEOUT_MS;
    if (config->dial_timeout_ms == 0)
        config->dial_timeout_ms = DIAL_TIMEOUT_MS;
    if (config->answer_ms == 0)
        config->answer_ms = ANSWER_MS;
    if (config->idle_ms == 0)
        config->idle_ms = IDLE_MS;
    if (config->half_idle_ms == 0)
        config->half_idle_ms = HALF_IDLE_MS;
    if (config->connections_max == 0)
        config->connections_max = CONNECTIONS_MAX;
    if (config->per_source_max == 0)
        config->per_source_max = PER_SOURCE_MAX;
}

static void take_sockets(struct proxy *proxy)
{
    size_t i;

    for (i = 0; i < PROXY_LISTENERS_MAX; i++)
        if (proxy->config.fds[i] >= 0)
            proxy->listeners[i] =
                base_loop_listen_fd(proxy->config.loop, proxy->config.fds[i],
                                    on_accept, proxy);
}

static int listen_all(struct proxy *proxy, size_t *failed)
{
    size_t i;

    for (i = 0; i < PROXY_LISTENERS_MAX; i++) {
        const struct base_addr *at = &proxy->config.listen[i];
        int rv = 0;

        if (at->family != 0)
            rv = base_net_listen(proxy->net, at, on_accept, proxy,
                                 &proxy->listeners[i]);
        if (rv < 0) {
            if (failed != NULL)
                *failed = i;
            return rv;
        }
    }
    return 0;
}

static void on_drained(void *arg)
{
    struct proxy *proxy = arg;

    if (proxy->conn_count == 0)
        proxy->drained(proxy->drained_arg);
}

int proxy_new(const struct proxy_config *config, struct proxy **out,
              size_t *failed)
{
    struct proxy *proxy;
    int rv = 0;

    BASE_NEW(proxy);
    proxy->config = *config;
    proxy->env = config->env;
    proxy->net = config->net;
    proxy->log = base_log_named(&config->env->log, "gateway");
    fill_defaults(&proxy->config);
    TAILQ_INIT(&proxy->waiting);
    TAILQ_INIT(&proxy->going);
    base_timer_init(&proxy->hello_timer, proxy->env, "gateway-hello",
                    on_hello_timer, proxy);
    base_timer_init(&proxy->drained_timer, proxy->env, "gateway-drained",
                    on_drained, proxy);
    proxy->shared = config->shared;
    proxy->owns_shared = config->shared == NULL;
    if (proxy->owns_shared)
        proxy->shared = proxy_shared_new(proxy->env->metrics,
                                         proxy->config.connections_max,
                                         proxy->config.per_source_max);
    if (config->loop != NULL)
        take_sockets(proxy);
    else
        rv = listen_all(proxy, failed);
    if (rv < 0) {
        proxy_free(proxy);
        return rv;
    }
    *out = proxy;
    return 0;
}

static void close_listeners(struct proxy *proxy, bool empty)
{
    size_t i;

    for (i = 0; i < PROXY_LISTENERS_MAX; i++) {
        if (proxy->listeners[i] == NULL)
            continue;
        if (empty && proxy->config.loop != NULL)
            base_loop_listener_empty(proxy->listeners[i]);
        base_net_listener_close(proxy->net, proxy->listeners[i]);
        proxy->listeners[i] = NULL;
    }
}

void proxy_drain(struct proxy *proxy, bool passed_on, void (*done)(void *arg),
                 void *arg)
{
    close_listeners(proxy, !passed_on);
    proxy->drained = done;
    proxy->drained_arg = arg;
    base_timer_start_ns(&proxy->drained_timer, 0);
}

void proxy_end(struct proxy *proxy)
{
    while (!TAILQ_EMPTY(&proxy->waiting))
        proxy_conn_refuse(TAILQ_FIRST(&proxy->waiting), PROXY_DRAINED);
    while (!TAILQ_EMPTY(&proxy->going))
        proxy_conn_end(TAILQ_FIRST(&proxy->going));
}

void proxy_free(struct proxy *proxy)
{
    if (proxy == NULL)
        return;
    close_listeners(proxy, false);
    while (!TAILQ_EMPTY(&proxy->waiting))
        proxy_conn_free(TAILQ_FIRST(&proxy->waiting));
    while (!TAILQ_EMPTY(&proxy->going))
        proxy_conn_free(TAILQ_FIRST(&proxy->going));
    base_timer_stop(&proxy->hello_timer);
    base_timer_stop(&proxy->drained_timer);
    if (proxy->owns_shared)
        proxy_shared_free(proxy->shared);
    routes_free(proxy->routes);
    base_free(proxy);
}

void proxy_set_routes(struct proxy *proxy, struct routes *routes)
{
    routes_free(proxy->routes);
    proxy->routes = routes;
}

const struct routes *proxy_routes(const struct proxy *proxy)
{
    return proxy->routes;
}

void proxy_addr(const struct proxy *proxy, size_t listener,
                struct base_addr *out)
{
    *out = (struct base_addr){0};
    if (proxy->listeners[listener] != NULL)
        base_net_listener_addr(proxy->net, proxy->listeners[listener], out);
}

size_t proxy_count(const struct proxy *proxy)
{
    return proxy->conn_count;
}
