/*
 * What it takes to make our table equal to the primary's: a merge-walk over two
 * sorted lists. Pure. Source: federation.md section 7, items 2 to 4.
 */
#ifndef FEDSTATE_DIFF_H
#define FEDSTATE_DIFF_H

#include <stdbool.h>
#include <stddef.h>

#include "fedstate/fedstate.pb-c.h"

/** Deletions first, then upserts; owned. */
struct fedstate_diff {
    Fedstate__Change **changes;
    size_t count;
    size_t delete_count; /* of these */
    size_t skipped;      /* remote records without a fit name */
};

/**
 * local   sorted by datacenter, each once.
 * remote  in any order; borrowed, copied where due.
 * full    another cluster answered than before (or we do not know): equal
 *         indexes prove nothing, so contents are compared too.
 */
void fedstate_diff_init(struct fedstate_diff *diff,
                        const Fedstate__FederationState *const *local,
                        size_t local_count,
                        Fedstate__FederationState *const *remote,
                        size_t remote_count, bool full);
void fedstate_diff_close(struct fedstate_diff *diff);

#endif
