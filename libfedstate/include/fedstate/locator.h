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

/* Of one list; more are left out. */
#define FEDSTATE_CANDIDATES_MAX 256

/** A flat copy of what the locator knows; a value with one allocation. */
struct fedstate_routes;

struct fedstate_locator;
struct fedstate_locator_config {
    const char *datacenter; /* copied */
    const char *primary_datacenter;
    struct fedstate_store *store; /* watched */
    /** F7: never dial the primary's gateways once our own are known, even when
     * none of ours is usable now. */
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
/** There may be a table on disk that is not loaded yet: for HOLD_MS (with
 * disable_primary_fallback: without end) nothing but our own gateways is used,
 * so that a restart never goes past them (F3). It ends sooner with
 * fedstate_locator_release(), when our record is loaded, and when we lead. Call
 * it before the loop runs. */
#define FEDSTATE_LOCATOR_HOLD_MS 10000u
void fedstate_locator_hold(struct fedstate_locator *locator);
/** There is nothing on disk: a first start. */
void fedstate_locator_release(struct fedstate_locator *locator);
/** The store's contents may be used: leader known, or we lead. stored: there
 * were replicated states on disk at start. */
void fedstate_locator_start(struct fedstate_locator *locator, bool stored);
/** Fallback addresses of the primary's gateways, from retry-join; copied, in
 * place of those before. FEDSTATE_EINVAL if none of them can be dialled. */
int fedstate_locator_set_fallback(struct fedstate_locator *locator,
                                  const struct base_addr *addrs, size_t count);
/** Our own gateways as our catalog has them now; borrowed. Optional: while any
 * of them is usable they stand for those of our own record, which are older by
 * a round to the primary and back, and lost for good when all gateways were
 * replaced at once and the direct path is closed. */
void fedstate_locator_set_catalog(struct fedstate_locator *locator,
                                  Fedstate__CheckServiceNode *const *gateways,
                                  size_t count);
/** We lead, or not: only the leader probes the direct path. */
void fedstate_locator_set_leader(struct fedstate_locator *locator,
                                 bool is_leader);
/** Outcome of a replication round: 0 or an error. */
void fedstate_locator_report_round(struct fedstate_locator *locator,
                                   int status);
/** For display, the way to the primary now: "local" (our own gateways),
 * "direct" (the primary's, with the fallback addresses), "fallback" (those
 * alone), or "none". */
const char *fedstate_locator_path(const struct fedstate_locator *locator);
/** What on_routes told last; empty before. Borrowed until the loop's next
 * turn. */
const struct fedstate_routes *
fedstate_locator_routes(const struct fedstate_locator *locator);

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
/** Takes the routes over (given). Failures stay remembered. */
void fedstate_picker_set(struct fedstate_picker *picker,
                         struct fedstate_routes *routes);
/** A random candidate, avoiding those that failed lately (10 s after a first
 * failure, twice as long after each further one, at most 320 s) while another
 * is left; and avoid (may be NULL) while there is another that did not.
 * FEDSTATE_ENOGATEWAY if there is none. */
int fedstate_picker_pick(struct fedstate_picker *picker, const char *dc,
                         const struct base_addr *avoid,
                         struct base_addr *out);
void fedstate_picker_report(struct fedstate_picker *picker,
                            const struct base_addr *gateway, int status);

#endif
