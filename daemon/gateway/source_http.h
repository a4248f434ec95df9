/*
 * Where a gateway's routes come from: the local agent, followed by blocking
 * queries. While the agent cannot be asked, the last routes stand.
 *
 * The meta of the gateway's own service decides, live, whether it carries the
 * traffic of servers: without it there are no routes, and nothing but that
 * service is watched.
 * Source: federation.md section 11.
 * Threads: the loop.
 */
#ifndef GATEWAY_SOURCE_HTTP_H
#define GATEWAY_SOURCE_HTTP_H

#include "gateway/api.h"
#include "gateway/routes.h"

struct source;

struct source_config {
    struct api *api; /* borrowed */
    /* Whether it carries the traffic of servers, until its service is heard
     * of. */
    bool expose_servers;
    /* The gateway's own service, on the agent's node; borrowed. id NULL: it has
     * none, so expose_servers holds for good. */
    const char *service, *service_id;
    /* The service is being registered with expose_servers: what the agent knew
     * of that id before does not count. */
    bool registers;
    struct base_addr self[2]; /* as in routes_input */
    /** A new table, given. Also told when nothing in it has changed. */
    void (*on_routes)(void *arg, struct routes *routes);
    /** The meta was set or cleared. New routes come apart. */
    void (*on_exposes)(void *arg, bool exposes);
    /** The agent may have forgotten the service: it answers again after it did
     * not, or the catalog has no such service. */
    void (*on_doubt)(void *arg);
    void *arg;
};

struct source *source_new(const struct source_config *config);
void source_free(struct source *source);
/** Everything that routes are made of has been heard of once. */
bool source_is_ready(const struct source *source);
/** The name that any local server goes by, "server.<dc>.<domain>"; NULL while
 * it is not known, or no server's traffic is carried. */
const char *source_server_name(const struct source *source);

#endif
