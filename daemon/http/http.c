/*
 * The paths of the API, and its life.
 */
#include <string.h>

#include "base/alloc.h"
#include "base/error.h"
#include "http/internal.h"

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
    {WEB_GET, "/v1/coordinate/node/", "node name", coordinate_node, ACL_NODE,
     ACL_READ},
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
     federation_declare, ASKED_BY_RPC},
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
    {WEB_GET, "/v1/operator/raft/configuration", NULL, raft_configuration,
     ASKED_BY_RPC},
    {WEB_DELETE, "/v1/operator/raft/peer", NULL, raft_remove_peer,
     ASKED_BY_RPC},
    {WEB_POST, "/v1/operator/raft/transfer-leader", NULL, raft_transfer_leader,
     ASKED_BY_RPC},
    {WEB_GET, "/v1/snapshot", NULL, snapshot_get, ASKED_BY_RPC},
    {WEB_PUT, "/v1/snapshot", NULL, snapshot_put, ASKED_BY_RPC},
    {WEB_GET, "/v1/status/leader", NULL, status_leader, ACL_PUBLIC, ACL_READ},
    {WEB_GET, "/v1/status/peers", NULL, status_peers, ACL_PUBLIC, ACL_READ},
    /* The token may be in the body: asked for when that was read. */
    {WEB_POST, "/v3/discovery:clusters", NULL, discovery_clusters, ACL_PUBLIC,
     ACL_READ},
    {WEB_POST, "/v3/discovery:endpoints", NULL, discovery_endpoints, ACL_PUBLIC,
     ACL_READ},
    {WEB_POST, "/v3/discovery:listeners", NULL, discovery_listeners, ACL_PUBLIC,
     ACL_READ},
};

const struct web_route *web_routes(size_t *count)
{
    *count = BASE_COUNT_OF(routes);
    return routes;
}

/* ---- life ----------------------------------------------------------------- */

/* "unix:///run/isthmus.sock", an IP, or nothing: client_addr. */
static struct http_place place_of(const struct config *config, const char *text,
                                  uint16_t port, bool tls)
{
    struct http_place place = {.mode = config->unix_socket_mode, .tls = tls};

    if (text && strncmp(text, CONFIG_UNIX, strlen(CONFIG_UNIX)) == 0)
        place.path = text + strlen(CONFIG_UNIX);
    else if (text == NULL || base_addr_parse_ip(&place.addr, text) != 0)
        place.addr = config->client_addr;
    place.addr.port = port;
    return place;
}

static int open_doors(struct http *http, char **why)
{
    const struct config *config = http->config.config;
    struct http_place plain =
        place_of(config, config->addresses.http, config->ports.http, false);
    struct http_place tls =
        place_of(config, config->addresses.https, config->ports.https, true);
    int rv = 0;

    if (plain.path || plain.addr.port != 0)
        rv = http_door_open(&http->doors[0], http, &plain, why);
    if (rv == 0 && config->ports.https != 0)
        rv = http_door_open(&http->doors[1], http, &tls, why);
    return rv;
}

int http_new(const struct http_config *config, struct http **out, char **why)
{
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
    if (http_conns_init(http) != 0) {
        *why = base_strdup("HTTP API: libevent has no memory");
        rv = BASE_EIO;
    } else {
        rv = open_doors(http, why);
    }
    if (rv != 0) {
        http_free(http);
        return rv;
    }
    *out = http;
    return 0;
}

int http_reload(struct http *http, char **why)
{
    size_t i;
    int rv = 0;

    for (i = 0; i < HTTP_DOORS_MAX && rv == 0; i++)
        rv = http_door_reload(&http->doors[i], why);
    return rv;
}

void http_free(struct http *http)
{
    size_t i;

    if (http == NULL)
        return;
    http->config.core.events->heard = NULL;
    http_conns_settle(http);
    for (i = 0; i < HTTP_DOORS_MAX; i++)
        http_door_close(&http->doors[i]);
    http_conns_close(http);
    /* The loops were drained: nobody comes back with one of these. */
    while (!LIST_EMPTY(&http->tickets))
        web_ticket_end(LIST_FIRST(&http->tickets));
    base_buf_close(&http->text);
    base_free(http);
}
