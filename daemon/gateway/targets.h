/*
 * Whom to dial: of a route's targets the one with the fewest connections, those
 * that failed in the last seconds only when nobody else is left, ties at
 * random. What is known of an address outlives route tables, so that a change
 * of routes forgets neither connections nor failures.
 * Threads: one at a time per object.
 */
#ifndef GATEWAY_TARGETS_H
#define GATEWAY_TARGETS_H

#include "base/env.h"

#define TARGETS_FAILED_MS 10000u /* how long a failure is held against one */

struct targets;
struct target; /* one address; lives while it is held */

struct targets *targets_new(struct base_env *env);
/** Every target must have been released. */
void targets_free(struct targets *targets);

/** Picks one of addrs that is not in tried, and holds it; NULL if none is left.
 * *last: it was the only one left. */
struct target *targets_pick(struct targets *targets,
                            const struct base_addr *addrs, size_t count,
                            const struct base_addr *tried, size_t tried_count,
                            bool *last);
const struct base_addr *target_addr(const struct target *target);
/** The connection is over, or was not made. */
void targets_release(struct targets *targets, struct target *target);
/** A dial failed (true) or was answered. */
void targets_report(struct targets *targets, struct target *target,
                    bool failed);
/** Connections held to an address. */
size_t targets_held(const struct targets *targets,
                    const struct base_addr *addr);
/** How many addresses something is known of. */
size_t targets_count(const struct targets *targets);

#endif
