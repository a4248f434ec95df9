/*
 * The proxy as a whole: what listens, who may come in, and the numbers. When
 * all places are taken, the connection that has waited for its hello the
 * longest goes: a flood of silent ones then keeps nobody out, as an honest
 * client sends its hello with its first packet.
 */
#include "gateway/proxy_priv.h"

#include "base/alloc.h"

#define HELLO_TIMEOUT_MS 5000u
#define DIAL_TIMEOUT_MS 5000u
#define IDLE_MS 900000u
#define HALF_IDLE_MS 60000u
#define CONNECTIONS_MAX 4096u
#define PER_SOURCE_MAX 2048u
#define NAME_LABELS_MAX 1024u
#define ROW_LABELS_MAX 512u

static const char *const refused_labels[] = {
#define X(name, label) label,
    PROXY_REFUSED_MAP(X)
#undef X
};

/* ---- numbers --------------------------------------------------------------
 */

void proxy_refuse(struct proxy *proxy, enum proxy_refused reason,
                  const struct base_addr *from, const char *name)
{
    struct base_log_limit *limit = &proxy->refused[reason].limit;

    base_counter_add(proxy->refused[reason].counter, 1);
    base_env_trace(proxy->env, "gateway", "refused %s %s",
                   refused_labels[reason], name != NULL ? name : "");
    if (!base_log_limit_pass(limit, base_env_now_ns(proxy->env)))
        return;
    base_log(&proxy->log, BASE_LOG_INFO, "refused",
             kv_str("reason", refused_labels[reason]), kv_addr("from", from),
             kv_str("name", name), kv_uint("suppressed", limit->suppressed));
}

static void make_counters(struct proxy *proxy)
{
    static const char *const name_names[] = {"isthmus.gateway.connections",
                                             NULL};
    static const char *const row_names[] = {
        [ROUTE_CONNECTIONS] = "isthmus.gateway.route.connections",
        [ROUTE_BYTES_IN] = "isthmus.gateway.route.bytes_in",
        [ROUTE_BYTES_OUT] = "isthmus.gateway.route.bytes_out",
        NULL};
    static const char *const dial_names[] = {"isthmus.gateway.dial_failed",
                                             NULL};
    static const char *const ended[] = {[RELAY_FINISHED] = "finished",
                                        [RELAY_BROKEN] = "broken",
                                        [RELAY_IDLE] = "idle"};
    struct base_metrics *metrics = proxy->env->metrics;
    size_t i;

    proxy->names = series_new(metrics, name_names, "sni", NAME_LABELS_MAX);
    proxy->rows = series_new(metrics, row_names, "route", ROW_LABELS_MAX);
    proxy->dials_failed =
        series_new(metrics, dial_names, "route", ROW_LABELS_MAX);
    proxy->open =
        base_metrics_gauge(metrics, "isthmus.gateway.open", NULL, NULL);
    for (i = 0; i < BASE_COUNT_OF(ended); i++)
        proxy->ended[i] = base_metrics_counter(metrics, "isthmus.gateway.ended",
                                               "reason", ended[i]);
    for (i = 0; i < PROXY_REFUSED_COUNT; i++)
        proxy->refused[i].counter = base_metrics_counter(
            metrics, "isthmus.gateway.refused", "reason", refused_labels[i]);
}

/* ---- who comes in ---------------------------------------------------------
 */

static bool make_room(struct proxy *proxy)
{
    if (proxy->conn_count < proxy->config.connections_max)
        return true;
    if (TAILQ_EMPTY(&proxy->waiting))
        return false;
    proxy_conn_refuse(TAILQ_FIRST(&proxy->waiting), PROXY_CROWDED_OUT);
    return true;
}

static void on_accept(void *arg, struct base_stream *client)
{
    struct proxy *proxy = arg;

    if (!source_limit_enter(proxy->sources, &client->peer)) {
        proxy_refuse(proxy, PROXY_LIMIT_SOURCE, &client->peer, NULL);
        base_stream_close(client);
    } else if (!make_room(proxy)) {
        source_limit_leave(proxy->sources, &client->peer);
        proxy_refuse(proxy, PROXY_LIMIT, &client->peer, NULL);
        base_stream_close(client);
    } else {
        base_gauge_set(proxy->open, (int64_t)++proxy->conn_count);
        proxy_conn_open(proxy, client);
    }
}

void proxy_left(struct proxy *proxy, const struct base_addr *from)
{
    source_limit_leave(proxy->sources, from);
    base_gauge_set(proxy->open, (int64_t)--proxy->conn_count);
}

/* ---- life -----------------------------------------------------------------
 */

static void fill_defaults(struct proxy_config *config)
{
    if (config->hello_timeout_ms == 0)
        config->hello_timeout_ms = HELLO_TIMEOUT_MS;
    if (config->dial_timeout_ms == 0)
        config->dial_timeout_ms = DIAL_TIMEOUT_MS;
    if (config->idle_ms == 0)
        config->idle_ms = IDLE_MS;
    if (config->half_idle_ms == 0)
        config->half_idle_ms = HALF_IDLE_MS;
    if (config->connections_max == 0)
        config->connections_max = CONNECTIONS_MAX;
    if (config->per_source_max == 0)
        config->per_source_max = PER_SOURCE_MAX;
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

int proxy_new(const struct proxy_config *config, struct proxy **out,
              size_t *failed)
{
    struct proxy *proxy;
    int rv;

    BASE_NEW(proxy);
    proxy->config = *config;
    proxy->env = config->env;
    proxy->net = config->net;
    proxy->log = base_log_named(&config->env->log, "gateway");
    fill_defaults(&proxy->config);
    TAILQ_INIT(&proxy->waiting);
    TAILQ_INIT(&proxy->going);
    proxy->targets = targets_new(config->env);
    proxy->sources = source_limit_new(proxy->config.per_source_max);
    make_counters(proxy);
    rv = listen_all(proxy, failed);
    if (rv < 0) {
        proxy_free(proxy);
        return rv;
    }
    *out = proxy;
    return 0;
}

void proxy_free(struct proxy *proxy)
{
    size_t i;

    if (proxy == NULL)
        return;
    for (i = 0; i < PROXY_LISTENERS_MAX; i++)
        if (proxy->listeners[i] != NULL)
            base_net_listener_close(proxy->net, proxy->listeners[i]);
    while (!TAILQ_EMPTY(&proxy->waiting))
        proxy_conn_free(TAILQ_FIRST(&proxy->waiting));
    while (!TAILQ_EMPTY(&proxy->going))
        proxy_conn_free(TAILQ_FIRST(&proxy->going));
    targets_free(proxy->targets);
    source_limit_free(proxy->sources);
    series_free(proxy->names);
    series_free(proxy->rows);
    series_free(proxy->dials_failed);
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
