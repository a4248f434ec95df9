/*
 * The route table of a gateway: server names to addresses, as the table of
 * federation.md section 11 has them. A table is made whole from what is known
 * and never changed; a newer one takes its place.
 * Threads: any; pure values.
 */
#ifndef GATEWAY_ROUTES_H
#define GATEWAY_ROUTES_H

#include <stdbool.h>
#include <stddef.h>

#include "base/addr.h"
#include "base/log.h"

struct routes;

/** A healthy server of the local datacenter. */
struct routes_server {
    const char *node;
    struct base_addr addr;
};

/** The usable gateways of another datacenter, by their WAN addresses. */
struct routes_site {
    const char *datacenter;
    const struct base_addr *gateways;
    size_t gateway_count;
};

/** What a table is made of; all borrowed for the call. Names may be in any
 * case. Those that cannot stand in a server name are left out. */
struct routes_input {
    const char *datacenter;
    const char *domain;
    bool expose_servers; /* false: the table is empty */
    const struct routes_server *servers;
    size_t server_count;
    const struct routes_site *sites; /* the local one is passed over */
    size_t site_count;
    struct base_addr self[2]; /* never a target: it would dial itself for ever;
                                 family 0 if not used */
};

#define ROUTES_TARGETS_MAX 256 /* of one row; more are left out */

/** A row. "*.server.dc2.consul" stands for one more label. */
struct route {
    char *pattern;
    bool wan; /* its targets are gateways of another datacenter */
    struct base_addr *targets; /* may be none: known, but nobody is there */
    size_t target_count;
};

struct routes *routes_new(const struct routes_input *input);
/** One more holder of the same table, on any thread. Returns routes. */
struct routes *routes_share(struct routes *routes);
/** By each holder. NULL is fine. */
void routes_free(struct routes *routes);
/** The row for a server name in lower case; NULL if there is none. */
const struct route *routes_find(const struct routes *routes, const char *name);
/** Rows sorted by pattern. */
const struct route *routes_rows(const struct routes *routes, size_t *count);
/** Logs the rows that differ; either table may be NULL. Returns how many. */
size_t routes_log_changes(const struct routes *before,
                          const struct routes *after,
                          const struct base_log *log);

#endif
