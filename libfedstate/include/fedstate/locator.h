/*
 * Which gateway for which datacenter. The locator computes candidates from the
 * table, the fallback addresses and the outcome of replication; a picker
 * chooses among them and remembers failures. They are apart because two loops
 * dial: each has its own picker, fed with copies of one locator's routes.
 * Source: federation.md section 9.
 * Threads: each object belongs to one loop.
 */
#ifndef FEDSTATE_LOCATOR_H
#define FEDSTATE_LOCATOR_H

#include "base/addr.h"
#include "fedstate/store.h"

/** A flat copy of what the locator knows; a value with one allocation. */
struct fedstate_routes;

struct fedstate_locator;
struct fedstate_locator_config {
    const char *datacenter; /* copied */
    const char *primary_datacenter;
    struct fedstate_store *store; /* watched */
    bool disable_primary_fallback;
    /** Candidates changed; routes are borrowed (copy them for a picker). */
    void (*on_routes)(void *ctx, const struct fedstate_routes *routes);
    /** Replicated gateways of the primary were seen for the first time: the
     * discovery of section 10 may end. */
    void (*on_primary_ready)(void *ctx);
    void *ctx;
};

int fedstate_locator_new(struct base_env *env,
                         const struct fedstate_locator_config *config,
                         struct fedstate_locator **out);
void fedstate_locator_free(struct fedstate_locator *locator);
/** The store's contents may be used: leader known, or we lead. stored: there
 * were replicated states on disk at start. */
void fedstate_locator_start(struct fedstate_locator *locator, bool stored);
/** Fallback addresses of the primary's gateways, from retry-join; copied. */
int fedstate_locator_set_fallback(struct fedstate_locator *locator,
                                  const struct base_addr *addrs, size_t count);
/** We lead, or not: only the leader probes the direct path. */
void fedstate_locator_set_leader(struct fedstate_locator *locator,
                                 bool is_leader);
/** Outcome of a replication round: 0 or an error. */
void fedstate_locator_report_round(struct fedstate_locator *locator,
                                   int status);
/** For display: "local", "direct" or "none", the way to the primary now. */
const char *fedstate_locator_path(const struct fedstate_locator *locator);

/** Candidates for a datacenter; *count may be 0. Borrowed from routes. */
const struct base_addr *
fedstate_routes_for(const struct fedstate_routes *routes, const char *dc,
                    size_t *count);
struct fedstate_routes *
fedstate_routes_dup(const struct fedstate_routes *routes);
void fedstate_routes_free(struct fedstate_routes *routes);

struct fedstate_picker;
struct fedstate_picker *fedstate_picker_new(struct base_env *env);
void fedstate_picker_free(struct fedstate_picker *picker);
/** Takes the routes over (given). */
void fedstate_picker_set(struct fedstate_picker *picker,
                         struct fedstate_routes *routes);
/** A random candidate, avoiding those that failed in the last 10 seconds while
 * another is left. FEDSTATE_ENOGATEWAY if there is none. */
int fedstate_picker_pick(struct fedstate_picker *picker, const char *dc,
                         struct base_addr *out);
void fedstate_picker_report(struct fedstate_picker *picker,
                            const struct base_addr *gateway, int status);

#endif
