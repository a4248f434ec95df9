/*
 * The HTTP API on one address: Consul's paths and JSON, served by evhttp on the
 * main loop. Handlers translate between JSON and the server's RPC methods,
 * which they call in this process; nothing here knows Raft or gossip.
 * Threads: the main loop.
 */
#ifndef HTTP_HTTP_H
#define HTTP_HTTP_H

#include "agent/cache.h"
#include "agent/config.h"
#include "agent/joins.h"
#include "agent/local_state.h"
#include "agent/monitor.h"
#include "base/loop.h"
#include "server/core.h"
#include "xds/xds.h"

struct http;

/** What is borrowed outlives it. */
struct http_config {
    struct base_loop *loop;
    const struct config *config;
    struct core core;
    const struct acl *acl; /* NULL: everybody may do everything */
    struct local_state *local;
    struct joins *joins;
    struct cache *cache; /* of reads with ?cached */
    struct xds *xds;     /* what Envoy asks for */
    struct monitor_hub *monitors;
    const char *node_id;
    /** Leave both pools and then end the agent; done comes after the goodbyes
     * and before the end. */
    void (*leave)(void *ctx, void (*done)(void *arg, int status), void *arg);
    /** Read configuration and certificates again; *why is the caller's. */
    int (*reload)(void *ctx, char **why);
    void *ctx;
};

/** Listens at addresses.http or client_addr on ports.http, and with TLS on
 * ports.https; why names the address if that fails. */
int http_new(const struct http_config *config, struct http **out, char **why);
/** Reads the certificates of HTTPS again. */
int http_reload(struct http *http, char **why);
/** Ends requests that wait. */
void http_free(struct http *http);

#endif
