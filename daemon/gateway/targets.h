/*
 * Whom to dial: of a route's targets the one with the fewest connections, those
 * that failed in the last seconds only when nobody else is left, ties at
 * random. One fails when a dial does, or when it was dialled and said nothing
 * three times in a row: once may be the client's doing. What is known of an
 * address outlives route tables, so that a change of routes forgets neither
 * connections nor failures.
 * Threads: any. env is that of the caller, for time and chance.
 */
#ifndef GATEWAY_TARGETS_H
#define GATEWAY_TARGETS_H

#include "base/env.h"

#define TARGETS_FAILED_MS 10000u /* how long a failure is held against one */
#define TARGETS_SILENT_MAX 3u    /* so often in a row is a failure */

enum targets_outcome {
    TARGETS_CONNECTED,  /* a dial was answered */
    TARGETS_ANSWERED,   /* it said something */
    TARGETS_DIAL_FAILED,
    TARGETS_SILENT      /* connected, and then not a byte */
};

struct targets;
struct target; /* one address; lives while it is held */

struct targets *targets_new(void);
/** Every target must have been released. */
void targets_free(struct targets *targets);

/** Picks one of addrs that is not in tried, and holds it; NULL if none is left.
 * *last: it was the only one left. */
struct target *targets_pick(struct targets *targets, struct base_env *env,
                            const struct base_addr *addrs, size_t count,
                            const struct base_addr *tried, size_t tried_count,
                            bool *last);
const struct base_addr *target_addr(const struct target *target);
/** The connection is over, or was not made. */
void targets_release(struct targets *targets, struct base_env *env,
                     struct target *target);
/** How it went with one that is held. */
void targets_report(struct targets *targets, struct base_env *env,
                    struct target *target, enum targets_outcome outcome);
/** Connections held to an address. */
size_t targets_held(struct targets *targets, const struct base_addr *addr);
/** How many addresses something is known of. */
size_t targets_count(const struct targets *targets);

#endif
