/*
 * The routes of one gateway that is registered with this agent: while its
 * service has the meta consul-wan-federation=1, the local servers and the
 * gateways of all datacenters are followed through the agent's cache; without
 * it nothing is, and the table is empty. Source: federation.md section 11.
 * Threads: the loop.
 */
#ifndef XDS_FEED_H
#define XDS_FEED_H

#include "agent/cache.h"
#include "agent/local_state.h"
#include "gateway/routes.h"

struct xds_feed;

/** Borrowed, for as long as the feed lives. */
struct xds_feed_config {
    struct base_env *env;
    struct cache *cache;
    const struct local_state *local;
    const char *datacenter, *domain;
    const char *service_id, *token;
    /** Something is different; from the loop. */
    void (*on_change)(void *arg);
    void *arg;
};

enum xds_feed_state {
    XDS_FEED_WAITS,   /* not all is known yet */
    XDS_FEED_READY,
    XDS_FEED_UNKNOWN, /* there is no such gateway (any more) */
    XDS_FEED_FAILS    /* the servers do not answer, or refuse to */
};

struct xds_feed *xds_feed_new(const struct xds_feed_config *config);
void xds_feed_free(struct xds_feed *feed);
/** The agent's services changed: is it ours? */
void xds_feed_look(struct xds_feed *feed);
/** *status and *text (borrowed) of a failure. */
enum xds_feed_state xds_feed_state(const struct xds_feed *feed, int *status,
                                   const char **text);
/** The last table; NULL before the first. */
const struct routes *xds_feed_routes(const struct xds_feed *feed);
/** Where the service listens for its own datacenter; family 0 if unknown. */
const struct base_addr *xds_feed_address(const struct xds_feed *feed);

#endif
