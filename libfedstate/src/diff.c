/*
 * The merge-walk. Both lists sorted by datacenter: only local, delete; only
 * remote, upsert; both, upsert if our PrimaryModifyIndex is not the remote's
 * ModifyIndex (section 7, item 3). Applying and pacing are the replicator's.
 */
#include "diff.h"

#include <assert.h>
#include <stdlib.h>
#include <string.h>

#include "base/alloc.h"
#include "base/pb.h"
#include "fedstate/model.h"
#include "internal.h"

static int compare(const void *left, const void *right)
{
    const Fedstate__FederationState *a =
        *(const Fedstate__FederationState *const *)left;
    const Fedstate__FederationState *b =
        *(const Fedstate__FederationState *const *)right;
    int order = fedstate_dc_compare(a->datacenter, b->datacenter);

    if (order != 0 || a->modify_index == b->modify_index)
        return order;
    return a->modify_index > b->modify_index ? -1 : 1; /* newest first */
}

/* The remote list sorted, without records that have no name and with the newest
 * of those that share one. Returns how many. */
static size_t sort_remote(const Fedstate__FederationState **sorted,
                          Fedstate__FederationState *const *remote,
                          size_t count)
{
    size_t kept = 0;
    size_t unique = 0;
    size_t i;

    for (i = 0; i < count; i++)
        if (remote[i]->datacenter != NULL && remote[i]->datacenter[0] != '\0')
            sorted[kept++] = remote[i];
    if (kept > 1)
        qsort(sorted, kept, sizeof(sorted[0]), compare);
    for (i = 0; i < kept; i++)
        if (unique == 0 ||
            fedstate_dc_compare(sorted[unique - 1]->datacenter,
                                sorted[i]->datacenter) != 0)
            sorted[unique++] = sorted[i];
    return unique;
}

static bool is_due(const Fedstate__FederationState *local,
                   const Fedstate__FederationState *remote, bool full)
{
    if (local->primary_modify_index != remote->modify_index)
        return true;
    return full && (local->updated_at_ns != remote->updated_at_ns ||
                    local->operator_owned != remote->operator_owned ||
                    !fedstate_same(local, remote, false));
}

static void push(struct fedstate_diff *diff, const Fedstate__Change *change)
{
    diff->changes[diff->count++] = base_pb_dup(change);
}

static void push_delete(struct fedstate_diff *diff,
                        const Fedstate__FederationState *local)
{
    Fedstate__FederationState state = FEDSTATE__FEDERATION_STATE__INIT;
    Fedstate__Change change = FEDSTATE__CHANGE__INIT;

    state.datacenter = local->datacenter;
    change.op = FEDSTATE__CHANGE__OP__DELETE;
    change.state = &state;
    change.unconditional = true;
    push(diff, &change);
    diff->delete_count++;
}

static void push_upsert(struct fedstate_diff *diff,
                        const Fedstate__FederationState *remote)
{
    Fedstate__FederationState state = *remote;
    Fedstate__Change change = FEDSTATE__CHANGE__INIT;

    state.primary_modify_index = remote->modify_index;
    state.create_index = 0; /* our table gives its own */
    state.modify_index = 0;
    change.op = FEDSTATE__CHANGE__OP__UPSERT;
    change.state = &state;
    change.unconditional = true;
    push(diff, &change);
}

enum walk { WALK_DELETES, WALK_UPSERTS };

static void walk(struct fedstate_diff *diff, enum walk what,
                 const Fedstate__FederationState *const *local,
                 size_t local_count,
                 const Fedstate__FederationState *const *remote,
                 size_t remote_count, bool full)
{
    size_t l = 0;
    size_t r = 0;

    while (l < local_count || r < remote_count) {
        int order = l == local_count   ? 1
                    : r == remote_count ? -1
                                        : fedstate_dc_compare(
                                              local[l]->datacenter,
                                              remote[r]->datacenter);

        if (order < 0 && what == WALK_DELETES)
            push_delete(diff, local[l]);
        if (order > 0 && what == WALK_UPSERTS)
            push_upsert(diff, remote[r]);
        if (order == 0 && what == WALK_UPSERTS &&
            is_due(local[l], remote[r], full))
            push_upsert(diff, remote[r]);
        if (order <= 0)
            l++;
        if (order >= 0)
            r++;
    }
}

void fedstate_diff_init(struct fedstate_diff *diff,
                        const Fedstate__FederationState *const *local,
                        size_t local_count,
                        Fedstate__FederationState *const *remote,
                        size_t remote_count, bool full)
{
    const Fedstate__FederationState **sorted =
        base_calloc(remote_count + 1, sizeof(sorted[0]));
    size_t unique = sort_remote(sorted, remote, remote_count);

    *diff = (struct fedstate_diff){.skipped = remote_count - unique};
    diff->changes =
        base_calloc(local_count + unique + 1, sizeof(diff->changes[0]));
    walk(diff, WALK_DELETES, local, local_count, sorted, unique, full);
    walk(diff, WALK_UPSERTS, local, local_count, sorted, unique, full);
    assert(diff->count <= local_count + unique);
    base_free(sorted);
}

void fedstate_diff_close(struct fedstate_diff *diff)
{
    size_t i;

    for (i = 0; i < diff->count; i++)
        base_pb_free(diff->changes[i]);
    base_free(diff->changes);
    *diff = (struct fedstate_diff){0};
}
