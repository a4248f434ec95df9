/*
 * The server's life: a listener, evhttp on it, and limits.
 */
#include <errno.h>
#include <event2/event.h>
#include <event2/http.h>
#include <event2/listener.h>
#include <string.h>
#include <sys/socket.h>

#include "base/alloc.h"
#include "base/error.h"
#include "http/internal.h"

#define BACKLOG 1024
#define ACCEPT_AGAIN_MS 100u

/* The right is that of the RPC method behind the row, which asks for it where
 * the call is carried out. */
#define ASKED_BY_RPC ACL_PUBLIC, ACL_DENY

static const struct web_route routes[] = {
    {WEB_GET, "/v1/agent/checks", NULL, agent_checks, ACL_NODE, ACL_READ},
    {WEB_PUT_OR_GET, "/v1/agent/check/deregister/", "check id",
     agent_check_deregister, ACL_NODE, ACL_WRITE},
    {WEB_PUT_OR_GET, "/v1/agent/check/fail/", "check id", agent_check_fail,
     ACL_SERVICE, ACL_WRITE},
    {WEB_PUT_OR_GET, "/v1/agent/check/pass/", "check id", agent_check_pass,
     ACL_SERVICE, ACL_WRITE},
    {WEB_PUT, "/v1/agent/check/register", NULL, agent_check_register, ACL_NODE,
     ACL_WRITE},
    {WEB_PUT, "/v1/agent/check/update/", "check id", agent_check_update,
     ACL_SERVICE, ACL_WRITE},
    {WEB_PUT_OR_GET, "/v1/agent/check/warn/", "check id", agent_check_warn,
     ACL_SERVICE, ACL_WRITE},
    {WEB_PUT_OR_GET, "/v1/agent/force-leave/", "node name", agent_force_leave,
     ACL_OPERATOR, ACL_WRITE},
    {WEB_PUT_OR_GET, "/v1/agent/join/", "address", agent_join, ACL_AGENT, ACL_WRITE},
    {WEB_PUT, "/v1/agent/leave", NULL, agent_leave, ACL_AGENT, ACL_WRITE},
    {WEB_PUT, "/v1/agent/maintenance", NULL, agent_maintenance, ACL_NODE,
     ACL_WRITE},
    {WEB_GET, "/v1/agent/members", NULL, agent_members, ACL_NODE, ACL_READ},
    {WEB_GET, "/v1/agent/metrics", NULL, agent_metrics, ACL_AGENT, ACL_READ},
    {WEB_GET, "/v1/agent/monitor", NULL, agent_monitor, ACL_AGENT, ACL_READ},
    {WEB_PUT, "/v1/agent/query/", "query name", agent_query, ACL_EVENT,
     ACL_WRITE},
    {WEB_PUT, "/v1/agent/reload", NULL, agent_reload, ACL_AGENT, ACL_WRITE},
    {WEB_GET, "/v1/agent/self", NULL, agent_self, ACL_AGENT, ACL_READ},
    {WEB_PUT_OR_GET, "/v1/agent/service/deregister/", "service id",
     agent_service_deregister, ACL_SERVICE, ACL_WRITE},
    {WEB_PUT, "/v1/agent/service/maintenance/", "service id",
     agent_service_maintenance, ACL_SERVICE, ACL_WRITE},
    {WEB_PUT, "/v1/agent/service/register", NULL, agent_service_register,
     ACL_SERVICE, ACL_WRITE},
    {WEB_GET, "/v1/agent/services", NULL, agent_services, ACL_SERVICE,
     ACL_READ},
    {WEB_GET, "/v1/catalog/datacenters", NULL, catalog_list_datacenters,
     ACL_PUBLIC, ACL_READ},
    {WEB_PUT, "/v1/catalog/deregister", NULL, catalog_remove, ASKED_BY_RPC},
    {WEB_GET, "/v1/catalog/node/", "node name", catalog_show_node,
     ASKED_BY_RPC},
    {WEB_GET, "/v1/catalog/nodes", NULL, catalog_list_nodes, ASKED_BY_RPC},
    {WEB_PUT, "/v1/catalog/register", NULL, catalog_put, ASKED_BY_RPC},
    {WEB_GET, "/v1/catalog/service/", "service name", catalog_show_service,
     ASKED_BY_RPC},
    {WEB_GET, "/v1/catalog/services", NULL, catalog_list_services,
     ASKED_BY_RPC},
    {WEB_GET, "/v1/coordinate/datacenters", NULL, coordinate_datacenters,
     ACL_NODE, ACL_READ},
    {WEB_GET, "/v1/coordinate/nodes", NULL, coordinate_nodes, ACL_NODE,
     ACL_READ},
    {WEB_PUT, "/v1/event/fire/", "event name", event_fire, ACL_EVENT,
     ACL_WRITE},
    {WEB_GET, "/v1/event/list", NULL, event_list, ACL_EVENT, ACL_READ},
    {WEB_GET, "/v1/health/checks/", "service name", health_checks,
     ASKED_BY_RPC},
    {WEB_GET, "/v1/health/node/", "node name", health_node, ASKED_BY_RPC},
    {WEB_GET, "/v1/health/service/", "service name", health_service,
     ASKED_BY_RPC},
    {WEB_GET, "/v1/health/state/", "state", health_state, ASKED_BY_RPC},
    {WEB_GET, "/v1/internal/federation-state/", "datacenter name",
     federation_get, ASKED_BY_RPC},
    {WEB_PUT, "/v1/internal/federation-state/", "datacenter name",
     federation_put, ASKED_BY_RPC},
    {WEB_DELETE, "/v1/internal/federation-state/", "datacenter name",
     federation_delete, ASKED_BY_RPC},
    {WEB_GET, "/v1/internal/federation-states", NULL, federation_list,
     ASKED_BY_RPC},
    {WEB_GET, "/v1/internal/federation-states/mesh-gateways", NULL,
     federation_gateways, ASKED_BY_RPC},
    {WEB_GET, "/v1/internal/federation-status", NULL, federation_status,
     ACL_OPERATOR, ACL_READ},
    {WEB_GET, "/v1/operator/keyring", NULL, keyring_list, ACL_OPERATOR,
     ACL_READ},
    {WEB_POST, "/v1/operator/keyring", NULL, keyring_install, ACL_OPERATOR,
     ACL_WRITE},
    {WEB_PUT, "/v1/operator/keyring", NULL, keyring_use, ACL_OPERATOR,
     ACL_WRITE},
    {WEB_DELETE, "/v1/operator/keyring", NULL, keyring_remove, ACL_OPERATOR,
     ACL_WRITE},
    {WEB_GET, "/v1/status/leader", NULL, status_leader, ACL_PUBLIC, ACL_READ},
    {WEB_GET, "/v1/status/peers", NULL, status_peers, ACL_PUBLIC, ACL_READ},
};

const struct web_route *web_routes(size_t *count)
{
    *count = BASE_COUNT_OF(routes);
    return routes;
}

static void on_request(struct evhttp_request *raw, void *arg)
{
    struct http *http = arg;

    web_request_start(http, http_conn_of(http, raw), raw);
}

/* ---- the listener --------------------------------------------------------- */

static void on_accept_again(void *arg)
{
    struct http *http = arg;

    evconnlistener_enable(http->listener);
}

/* Out of descriptors, most likely: asking again at once would only burn. */
static void on_accept_error(struct evconnlistener *listener, void *arg)
{
    struct http *http = arg;
    int reason = EVUTIL_SOCKET_ERROR();

    http_count_refused(http, "accept");
    if (base_log_limit_pass(&http->log_limit, base_env_now_ns(http->env)))
        base_log(&http->log, BASE_LOG_ERROR, "cannot accept",
                 kv_str("error", strerror(reason)));
    evconnlistener_disable(listener);
    base_timer_start_ms(&http->accept_again, ACCEPT_AGAIN_MS);
}

static int listen_at(struct http *http, const struct base_addr *at, char **why)
{
    struct sockaddr_storage storage;
    unsigned len = base_addr_to_sockaddr(at, &storage);
    unsigned flags = LEV_OPT_CLOSE_ON_FREE | LEV_OPT_CLOSE_ON_EXEC |
                     LEV_OPT_REUSEABLE;
    char text[BASE_ADDR_TEXT_MAX];
    int rv;

    if (at->family == 6)
        flags |= LEV_OPT_BIND_IPV6ONLY;
    http->listener = evconnlistener_new_bind(
        base_loop_event_base(http->config.loop), NULL, NULL, flags, BACKLOG,
        (struct sockaddr *)&storage, (int)len);
    if (http->listener == NULL) {
        rv = base_error_from_errno(errno);
        *why = base_asprintf("HTTP API at %s: %s", base_addr_format(at, text),
                             base_strerror(rv));
        return rv;
    }
    evconnlistener_set_error_cb(http->listener, on_accept_error);
    evhttp_bind_listener(http->server, http->listener);
    base_log(&http->log, BASE_LOG_INFO, "HTTP API listens",
             kv_addr("address", at));
    return 0;
}

/* ---- life ----------------------------------------------------------------- */

static void set_limits(struct http *http)
{
    evhttp_set_max_headers_size(http->server, HTTP_HEADER_BYTES_MAX);
    evhttp_set_max_body_size(http->server, HTTP_BODY_BYTES_HARD_MAX);
    evhttp_set_timeout(http->server, HTTP_IDLE_TIMEOUT_S);
    /* Our router says 405, and which method it would be. */
    evhttp_set_allowed_methods(http->server, UINT16_MAX);
    /* Else a client that still sends would see a reset instead of the 413. */
    evhttp_set_flags(http->server, EVHTTP_SERVER_LINGERING_CLOSE);
    evhttp_set_default_content_type(http->server, NULL);
    evhttp_set_gencb(http->server, on_request, http);
}

int http_new(const struct http_config *config, struct http **out, char **why)
{
    struct base_addr at =
        config_at(&config->config->client_addr, config->config->ports.http);
    struct http *http;
    int rv;

    *out = NULL;
    BASE_NEW(http);
    http->config = *config;
    http->env = base_loop_env(config->loop);
    http->log = base_log_named(&http->env->log, "http");
    http->rpc = config->core.rpc;
    http->gauge_waiting = base_metrics_gauge(
        http->env->metrics, "isthmus.http.waiting", NULL, NULL);
    http->gauge_connections = base_metrics_gauge(
        http->env->metrics, "isthmus.http.connections", NULL, NULL);
    LIST_INIT(&http->tickets);
    LIST_INIT(&http->event_waits);
    config->core.events->heard = event_heard;
    config->core.events->heard_ctx = http;
    base_timer_init(&http->accept_again, http->env, "http-accept",
                    on_accept_again, http);
    http->server = evhttp_new(base_loop_event_base(config->loop));
    if (http->server == NULL || http_conns_init(http) != 0) {
        *why = base_strdup("HTTP API: libevent has no memory");
        rv = BASE_EIO;
    } else {
        set_limits(http);
        rv = listen_at(http, &at, why);
    }
    if (rv != 0) {
        http_free(http);
        return rv;
    }
    *out = http;
    return 0;
}

void http_free(struct http *http)
{
    if (http == NULL)
        return;
    base_timer_stop(&http->accept_again);
    http->config.core.events->heard = NULL;
    if (http->server) {
        http_conns_settle(http);
        evhttp_free(http->server); /* ends listener, connections, requests */
    }
    http_conns_close(http);
    /* The loops were drained: nobody comes back with one of these. */
    while (!LIST_EMPTY(&http->tickets))
        web_ticket_end(LIST_FIRST(&http->tickets));
    base_free(http);
}
