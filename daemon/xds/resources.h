/*
 * A gateway's route table as the resources that Envoy asks for (its API v3):
 * listeners that read the server name of the TLS hello, one filter chain a row;
 * a cluster for each foreign datacenter, each local server and all local
 * servers together; their endpoints. The same table gives the same text.
 * Source: federation.md section 11.
 * Threads: any; pure.
 */
#ifndef XDS_RESOURCES_H
#define XDS_RESOURCES_H

#include <jansson.h>
#include <stddef.h>

#include "gateway/routes.h"

enum xds_type { XDS_CLUSTERS, XDS_ENDPOINTS, XDS_LISTENERS, XDS_TYPES };

#define XDS_LISTENERS_MAX 2

struct xds_input {
    const struct routes *routes;
    /* Its own side first, then that of other datacenters; family 0: unused.
     * Dials go out from there too. */
    struct base_addr listen[XDS_LISTENERS_MAX];
};

/** One resource, as JSON. */
struct xds_resource {
    char *name;
    char *text;
};

/** Sorted by name. */
struct xds_resources {
    struct xds_resource *items;
    size_t count;
};

/** The caller's (xds_resources_close). */
struct xds_resources xds_resources_make(enum xds_type type,
                                        const struct xds_input *input);
void xds_resources_close(struct xds_resources *resources);
/** NULL if there is none of that name. */
const struct xds_resource *
xds_resources_find(const struct xds_resources *resources, const char *name);

/** "type.googleapis.com/envoy.config.cluster.v3.Cluster" and so on. */
const char *xds_type_url(enum xds_type type);

#define XDS_AGENT_CLUSTER "isthmus_agent" /* no server name: not one of ours */
/** Where Envoy asks for more: the agent, that holds each question until there
 * is an answer. A new reference. */
json_t *xds_config_source(void);
/** {"thresholds": ...}: how much may be under way towards a cluster. */
json_t *xds_circuit_breakers(void);
/** {"socket_address": ...} */
json_t *xds_address(const struct base_addr *addr, bool any_port);

#endif
