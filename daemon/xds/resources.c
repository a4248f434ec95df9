/*
 * Rows of the table and what they become. A wildcard's row has the targets of
 * the row of its datacenter, so both use that one's cluster. What a cluster is
 * does not depend on its targets, which may then change by themselves.
 */
#include "xds/resources.h"

#include <stdlib.h>
#include <string.h>

#include "base/alloc.h"

/* As the built-in gateway: docs/gateways.md, limits. */
#define CONNECT_TIMEOUT "1.250s" /* of one dial */
#define CONNECT_ATTEMPTS 4
#define IDLE_TIMEOUT "900s"
#define HELLO_TIMEOUT "5s"
#define EJECTED "10s"
#define BUFFER_BYTES 262144
#define CONNECTIONS_MAX 16384 /* in place of Envoy's 1,024 */

#define TYPE "type.googleapis.com/envoy."

const char *xds_type_url(enum xds_type type)
{
    static const char *const urls[XDS_TYPES] = {
        TYPE "config.cluster.v3.Cluster",
        TYPE "config.endpoint.v3.ClusterLoadAssignment",
        TYPE "config.listener.v3.Listener"};

    return urls[type];
}

json_t *xds_config_source(void)
{
    return json_pack("{s:s, s:{s:s, s:s, s:[s], s:s, s:s}}",
                     "resource_api_version", "V3", "api_config_source",
                     "api_type", "REST", "transport_api_version", "V3",
                     "cluster_names", XDS_AGENT_CLUSTER, "refresh_delay",
                     "0.100s", "request_timeout", "60s");
}

json_t *xds_circuit_breakers(void)
{
    return json_pack("{s:[{s:i, s:i, s:i}]}", "thresholds", "max_connections",
                     CONNECTIONS_MAX, "max_pending_requests", CONNECTIONS_MAX,
                     "max_requests", CONNECTIONS_MAX);
}

json_t *xds_address(const struct base_addr *addr, bool any_port)
{
    char ip[BASE_ADDR_TEXT_MAX];

    return json_pack("{s:{s:s, s:i}}", "socket_address", "address",
                     base_addr_format_ip(addr, ip), "port_value",
                     any_port ? 0 : (int)addr->port);
}

/* ---- clusters ------------------------------------------------------------- */

static bool is_wildcard(const struct route *row)
{
    return *row->pattern == '*';
}

static const char *cluster_of(const struct route *row)
{
    return is_wildcard(row) ? row->pattern + 2 : row->pattern;
}

/* A target that did not answer is passed over for a while, as long as another
 * is left; when none is, all are tried. */
static json_t *outlier_detection(void)
{
    return json_pack("{s:b, s:i, s:i, s:s, s:s, s:s, s:i}",
                     "split_external_local_origin_errors", 1,
                     "consecutive_local_origin_failure", 1,
                     "enforcing_local_origin_success_rate", 0, "interval", "1s",
                     "base_ejection_time", EJECTED, "max_ejection_time",
                     EJECTED, "max_ejection_percent", 100);
}

/* The address to dial from; NULL where a target is of another family. */
static const struct base_addr *source_of(const struct xds_input *input,
                                         const struct route *row)
{
    const struct base_addr *from =
        &input->listen[row->wan && input->listen[1].family != 0];
    size_t i;

    for (i = 0; i < row->target_count; i++)
        if (row->targets[i].family != from->family)
            return NULL;
    return from->family == 0 || base_addr_is_any(from) ? NULL : from;
}

static json_t *cluster(const struct xds_input *input, const struct route *row)
{
    const struct base_addr *from = source_of(input, row);
    json_t *json;

    if (is_wildcard(row))
        return NULL;
    json = json_pack(
        "{s:s, s:s, s:s, s:{s:o}, s:s, s:s, s:{s:{s:i}}, s:o, s:o}", "@type",
        xds_type_url(XDS_CLUSTERS), "name", cluster_of(row), "type", "EDS",
        "eds_cluster_config", "eds_config", xds_config_source(),
        "connect_timeout", CONNECT_TIMEOUT, "lb_policy", "LEAST_REQUEST",
        "common_lb_config", "healthy_panic_threshold", "value", 1,
        "outlier_detection", outlier_detection(), "circuit_breakers",
        xds_circuit_breakers());
    if (from != NULL) {
        json_t *source = xds_address(from, true);

        json_object_set_new(
            json, "upstream_bind_config",
            json_pack("{s:O}", "source_address",
                      json_object_get(source, "socket_address")));
        json_decref(source);
    }
    return json;
}

/* ---- endpoints ------------------------------------------------------------ */

static json_t *endpoints(const struct xds_input *input, const struct route *row)
{
    json_t *list = json_array();
    size_t i;

    (void)input;
    if (is_wildcard(row)) {
        json_decref(list);
        return NULL;
    }
    for (i = 0; i < row->target_count; i++)
        json_array_append_new(list,
                              json_pack("{s:{s:o}}", "endpoint", "address",
                                        xds_address(&row->targets[i], false)));
    return json_pack("{s:s, s:s, s:[{s:o}]}", "@type",
                     xds_type_url(XDS_ENDPOINTS), "cluster_name",
                     cluster_of(row), "endpoints", "lb_endpoints", list);
}

/* ---- listeners ------------------------------------------------------------ */

static json_t *filter_chain(const struct route *row)
{
    return json_pack(
        "{s:s, s:{s:[s]}, s:[{s:s, s:{s:s, s:s, s:s, s:i, s:s}}]}", "name",
        row->pattern, "filter_chain_match", "server_names", row->pattern,
        "filters", "name", "envoy.filters.network.tcp_proxy", "typed_config",
        "@type", TYPE "extensions.filters.network.tcp_proxy.v3.TcpProxy",
        "stat_prefix", cluster_of(row), "cluster", cluster_of(row),
        "max_connect_attempts", CONNECT_ATTEMPTS, "idle_timeout",
        IDLE_TIMEOUT);
}

/* What no chain fits is closed, and counted by Envoy. Without a row there must
 * be a chain all the same, and one without filters closes what it gets. */
static json_t *listener(const char *name, const struct base_addr *at,
                        const struct route *rows, size_t count)
{
    json_t *chains = json_array();
    size_t i;

    for (i = 0; i < count; i++)
        json_array_append_new(chains, filter_chain(&rows[i]));
    if (count == 0)
        json_array_append_new(chains, json_pack("{s:s, s:[]}", "name",
                                                "nothing is routed",
                                                "filters"));
    return json_pack(
        "{s:s, s:s, s:o, s:[{s:s, s:{s:s}}], s:s, s:i, s:o}", "@type",
        xds_type_url(XDS_LISTENERS), "name", name, "address",
        xds_address(at, false), "listener_filters", "name",
        "envoy.filters.listener.tls_inspector", "typed_config", "@type",
        TYPE "extensions.filters.listener.tls_inspector.v3.TlsInspector",
        "listener_filters_timeout", HELLO_TIMEOUT,
        "per_connection_buffer_limit_bytes", BUFFER_BYTES, "filter_chains",
        chains);
}

/* ---- all of them ---------------------------------------------------------- */

static void add(struct xds_resources *resources, const char *name, json_t *json)
{
    struct xds_resource *one;
    char *text;

    if (json == NULL)
        return;
    text = json_dumps(json, JSON_COMPACT);
    json_decref(json);
    resources->items = base_reallocarray(
        resources->items, resources->count + 1, sizeof(*resources->items));
    one = &resources->items[resources->count++];
    one->name = base_strdup(name);
    one->text = base_strdup(text);
    free(text);
}

static void add_listeners(struct xds_resources *resources,
                          const struct xds_input *input)
{
    static const char *const names[XDS_LISTENERS_MAX] = {"lan", "wan"};
    size_t count, i;
    const struct route *rows = routes_rows(input->routes, &count);

    for (i = 0; i < XDS_LISTENERS_MAX; i++)
        if (input->listen[i].family != 0)
            add(resources, names[i],
                listener(names[i], &input->listen[i], rows, count));
}

struct xds_resources xds_resources_make(enum xds_type type,
                                        const struct xds_input *input)
{
    struct xds_resources resources = {0};
    size_t count, i;
    const struct route *rows = routes_rows(input->routes, &count);

    if (type == XDS_LISTENERS)
        add_listeners(&resources, input);
    else
        for (i = 0; i < count; i++)
            add(&resources, cluster_of(&rows[i]),
                type == XDS_CLUSTERS ? cluster(input, &rows[i])
                                     : endpoints(input, &rows[i]));
    return resources;
}

void xds_resources_close(struct xds_resources *resources)
{
    size_t i;

    for (i = 0; i < resources->count; i++) {
        base_free(resources->items[i].name);
        base_free(resources->items[i].text);
    }
    base_free(resources->items);
    *resources = (struct xds_resources){0};
}

static int compare(const void *name, const void *item)
{
    return strcmp(name, ((const struct xds_resource *)item)->name);
}

const struct xds_resource *
xds_resources_find(const struct xds_resources *resources, const char *name)
{
    if (resources->count == 0)
        return NULL;
    return bsearch(name, resources->items, resources->count,
                   sizeof(*resources->items), compare);
}
