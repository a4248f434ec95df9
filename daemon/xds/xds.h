/*
 * What an agent tells Envoy: xDS v3 in REST-JSON. Each question says which
 * version the asker has; it is held until there is another one, so that a
 * change arrives at once, and at most 25 s. A version that is asked again after
 * a newer one was sent means that the newer one was refused: that is logged,
 * and it is not offered again for 25 s, unless there is another. Listeners
 * wait until the clusters that they name were taken.
 *
 * An asker is a mesh gateway that is registered with this agent: its node id is
 * the service's id. Versions are digests of what they stand for, so they mean
 * the same after a restart of the agent.
 *
 * Metrics: isthmus.xds.nodes, isthmus.xds.waiting; isthmus.xds.sent{type},
 * isthmus.xds.rejected{type}; isthmus.xds.refused{reason}: full.
 * Source: federation.md section 11.
 * Threads: the loop of env.
 */
#ifndef XDS_XDS_H
#define XDS_XDS_H

#include "agent/cache.h"
#include "agent/local_state.h"
#include "xds/resources.h"

struct xds;
struct xds_wait; /* a question that is held */

#define XDS_NODES_MAX 256u  /* those that nobody asks for make room */
#define XDS_SUBS_MAX 4096u  /* of a node: type and names */
#define XDS_WAITS_MAX 8192u /* of a node */
#define XDS_HOLD_MS 25000u
#define XDS_FAILURE_MS 1000u /* a failure is told after that: no hot loop */
#define XDS_FORGET_MS 600000u /* a node that nobody asks for */
#define XDS_VERSION_BYTES_MAX 64u

/** Borrowed. */
struct xds_config {
    struct base_env *env;
    struct cache *cache;
    struct local_state *local; /* its on_change hook is taken */
    const char *datacenter, *domain;
};

struct xds *xds_new(const struct xds_config *config);
/** Before its cache and local state; those that wait hear nothing. */
void xds_free(struct xds *xds);

/** Borrowed for the call. */
struct xds_request {
    enum xds_type type;
    const char *node_id;
    const char *token;
    /** Where it listens; family 0 in the first: at the service's address. */
    struct base_addr listen[XDS_LISTENERS_MAX];
    const char *version; /* "" if it has none */
    char *const *names;  /* none: all */
    size_t name_count;
};

enum xds_outcome {
    XDS_RESOURCES, /* body is a DiscoveryResponse */
    XDS_UNCHANGED, /* the version that it has is as good as any */
    XDS_UNKNOWN,   /* no such gateway is registered here */
    XDS_FAILED     /* status and text say why */
};

/** Borrowed for the call. */
struct xds_answer {
    enum xds_outcome outcome;
    const char *body;
    size_t len;
    int status;
    const char *text;
};
typedef void (*xds_done_fn)(void *arg, const struct xds_answer *answer);

/** done comes once, later, unless cancelled; *out lives until then. BASE_EFULL
 * past a limit. */
int xds_ask(struct xds *xds, const struct xds_request *request,
            xds_done_fn done, void *arg, struct xds_wait **out);
/** done does not come. NULL is fine. */
void xds_cancel(struct xds_wait *wait);

#endif
