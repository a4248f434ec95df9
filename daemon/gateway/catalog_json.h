/*
 * From the API's JSON (Consul's spelling) to what routes are made of. Hostile
 * or odd entries are passed over, never trusted.
 * Threads: any; pure.
 */
#ifndef GATEWAY_CATALOG_JSON_H
#define GATEWAY_CATALOG_JSON_H

#include <jansson.h>

#include "gateway/routes.h"

/** Local servers out of /v1/health/service/consul: those without a critical
 * check. A new array, the caller's (base_free); its names are borrowed from
 * body. */
struct routes_server *catalog_json_servers(const json_t *body, size_t *count);
/** Sites out of /v1/internal/federation-states/mesh-gateways: of each
 * datacenter the gateways that are usable (libfedstate's rule), by their WAN
 * addresses. Free with catalog_json_sites_free(); names are borrowed. */
struct routes_site *catalog_json_sites(const json_t *body, size_t *count);
void catalog_json_sites_free(struct routes_site *sites, size_t count);
/** Whether the service of that id on that node, out of /v1/health/service/NAME,
 * says in its meta that it carries the traffic of servers. False, and *exposes
 * stays, if there is no such service. */
bool catalog_json_exposes(const json_t *body, const char *node, const char *id,
                          bool *exposes);

#endif
