/*
 * The one static cluster is the agent. Every cluster that Envoy is told of asks
 * for its endpoints by itself, and each of those questions is held, so many of
 * them are under way at once.
 */
#include "xds/bootstrap.h"

#include "base/alloc.h"
#include "xds/resources.h"

#define TYPE "type.googleapis.com/envoy."
#define CONNECTIONS_MAX 16384 /* as the built-in gateway */
#define AGENT_IDLE "60s"      /* the agent hangs up after two minutes */

/* ---- the agent ------------------------------------------------------------ */

static json_t *http_options(void)
{
    return json_pack(
        "{s:{s:s, s:{s:s}, s:{s:{}}}}",
        "envoy.extensions.upstreams.http.v3.HttpProtocolOptions", "@type",
        TYPE "extensions.upstreams.http.v3.HttpProtocolOptions",
        "common_http_protocol_options", "idle_timeout", AGENT_IDLE,
        "explicit_http_config", "http_protocol_options");
}

static json_t *validation(const struct https_config *https)
{
    struct base_addr ip;
    bool is_ip = base_addr_parse_ip(&ip, https->server_name) == 0;
    json_t *json =
        json_pack("{s:[{s:s, s:{s:s}}]}", "match_typed_subject_alt_names",
                  "san_type", is_ip ? "IP_ADDRESS" : "DNS", "matcher", "exact",
                  https->server_name);

    if (https->ca_file)
        json_object_set_new(
            json, "trusted_ca",
            json_pack("{s:s}", "filename", https->ca_file));
    else
        json_object_set_new(json, "system_root_certs", json_object());
    return json;
}

static json_t *transport_socket(const struct https_config *https)
{
    json_t *common = json_object();

    if (!https->insecure)
        json_object_set_new(common, "validation_context", validation(https));
    if (https->cert_file)
        json_object_set_new(
            common, "tls_certificates",
            json_pack("[{s:{s:s}, s:{s:s}}]", "certificate_chain", "filename",
                      https->cert_file, "private_key", "filename",
                      https->key_file));
    return json_pack("{s:s, s:{s:s, s:s, s:o}}", "name",
                     "envoy.transport_sockets.tls", "typed_config", "@type",
                     TYPE "extensions.transport_sockets.tls.v3."
                          "UpstreamTlsContext",
                     "sni", https->server_name, "common_tls_context", common);
}

static json_t *agent_cluster(const struct xds_bootstrap *input)
{
    json_t *json = json_pack(
        "{s:s, s:s, s:s, s:o, s:o, s:{s:s, s:[{s:[{s:{s:o}}]}]}}", "name",
        XDS_AGENT_CLUSTER, "type", "STATIC", "connect_timeout", "5s",
        "circuit_breakers", xds_circuit_breakers(), "typed_extension_protocol_options",
        http_options(), "load_assignment", "cluster_name", XDS_AGENT_CLUSTER,
        "endpoints", "lb_endpoints", "endpoint", "address",
        xds_address(&input->agent, false));

    /* From where it listens: a gateway shows the network one address. */
    if (input->bind[0].family == input->agent.family &&
        base_addr_is_loopback(&input->bind[0]) ==
            base_addr_is_loopback(&input->agent)) {
        json_t *source = xds_address(&input->bind[0], true);

        json_object_set_new(
            json, "upstream_bind_config",
            json_pack("{s:O}", "source_address",
                      json_object_get(source, "socket_address")));
        json_decref(source);
    }
    if (input->https)
        json_object_set_new(json, "transport_socket",
                            transport_socket(input->https));
    return json;
}

/* ---- the whole ------------------------------------------------------------ */

static json_t *node(const struct xds_bootstrap *input)
{
    char text[BASE_ADDR_TEXT_MAX];
    json_t *bind = json_array();
    json_t *json =
        json_pack("{s:s, s:s, s:{s:o}}", "id", input->service_id, "cluster",
                  input->service, "metadata", "bind", bind);
    size_t i;

    for (i = 0; i < BASE_COUNT_OF(input->bind); i++)
        if (input->bind[i].family != 0)
            json_array_append_new(
                bind,
                json_string(base_addr_format(&input->bind[i], text)));
    if (*input->token != '\0')
        json_object_set_new(json_object_get(json, "metadata"), "token",
                            json_string(input->token));
    return json;
}

static json_t *overload(void)
{
    return json_pack(
        "{s:[{s:s, s:{s:s, s:i}}]}", "resource_monitors", "name",
        "envoy.resource_monitors.global_downstream_max_connections",
        "typed_config", "@type",
        TYPE "extensions.resource_monitors.downstream_connections.v3."
             "DownstreamConnectionsConfig",
        "max_active_downstream_connections", CONNECTIONS_MAX);
}

json_t *xds_bootstrap_json(const struct xds_bootstrap *input)
{
    json_t *json = json_pack(
        "{s:o, s:{s:o, s:o}, s:{s:[o]}, s:o}", "node", node(input),
        "dynamic_resources", "cds_config", xds_config_source(), "lds_config",
        xds_config_source(), "static_resources", "clusters",
        agent_cluster(input), "overload_manager", overload());

    if (input->admin.family != 0)
        json_object_set_new(
            json, "admin",
            json_pack("{s:o}", "address", xds_address(&input->admin, false)));
    return json;
}
