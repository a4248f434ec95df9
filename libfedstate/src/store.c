/*
 * The table: a sorted array of records, and the rules of applying a change to
 * it. It is driven by a replicated log, so it draws on nothing but the change
 * and its index: no clock, no chance. Waiting is in waiters.c.
 */
#include "fedstate/store.h"

#include <assert.h>
#include <string.h>

#include "base/alloc.h"
#include "base/pb.h"
#include "internal.h"
#include "store_internal.h"

struct fedstate_store *fedstate_store_new(struct base_env *env)
{
    struct fedstate_store *store;

    BASE_NEW(store);
    store->env = env;
    store->index = 1;
    store->waits_refused = base_metrics_counter(
        env->metrics, "isthmus.fedstate.waiters.refused", NULL, NULL);
    return store;
}

void fedstate_store_free(struct fedstate_store *store)
{
    size_t i;

    if (store == NULL)
        return;
    fedstate_waiters_close(store);
    for (i = 0; i < store->count; i++)
        base_pb_free(store->states[i]);
    base_free(store->states);
    base_free(store);
}

/* Where the record is, or where it would go. */
static size_t find(const struct fedstate_store *store, const char *datacenter,
                   bool *found)
{
    size_t low = 0;
    size_t high = store->count;

    *found = false;
    while (low < high) {
        size_t middle = low + (high - low) / 2;
        int order =
            fedstate_dc_compare(store->states[middle]->datacenter, datacenter);

        if (order == 0) {
            *found = true;
            return middle;
        }
        if (order < 0)
            low = middle + 1;
        else
            high = middle;
    }
    return low;
}

static void open_slot(struct fedstate_store *store, size_t at)
{
    if (store->count == store->cap) {
        store->cap = store->cap < 8 ? 16 : store->cap * 2;
        store->states = base_reallocarray(store->states, store->cap,
                                          sizeof(store->states[0]));
    }
    memmove(&store->states[at + 1], &store->states[at],
            (store->count - at) * sizeof(store->states[0]));
    store->count++;
}

static void close_slot(struct fedstate_store *store, size_t at)
{
    store->count--;
    memmove(&store->states[at], &store->states[at + 1],
            (store->count - at) * sizeof(store->states[0]));
}

static int upsert(struct fedstate_store *store, uint64_t index,
                  const Fedstate__FederationState *state)
{
    Fedstate__FederationState *copy;
    bool found;
    size_t at = find(store, state->datacenter, &found);

    if (!found && store->count == FEDSTATE_DATACENTERS_MAX)
        return FEDSTATE_ETOOBIG;
    copy = base_pb_dup(state);
    copy->create_index = found ? store->states[at]->create_index : index;
    copy->modify_index = index;
    if (found)
        base_pb_free(store->states[at]);
    else
        open_slot(store, at);
    store->states[at] = copy;
    store->index = index;
    return 0;
}

/* Deleting moves the index, so that those who wait for the record hear of it
 * (section 6); deleting what is not there changes nothing. */
static void remove_at(struct fedstate_store *store, uint64_t index, size_t at)
{
    base_pb_free(store->states[at]);
    close_slot(store, at);
    store->index = index;
    store->delete_index = index;
}

int fedstate_store_apply(struct fedstate_store *store, uint64_t index,
                         const Fedstate__Change *change)
{
    const Fedstate__FederationState *state = change->state;
    uint64_t stands;
    bool found;
    size_t at;
    int rv = 0;

    if (change->op != FEDSTATE__CHANGE__OP__UPSERT &&
        change->op != FEDSTATE__CHANGE__OP__DELETE)
        return FEDSTATE_EOP;
    if (state == NULL || state->datacenter == NULL ||
        state->datacenter[0] == '\0')
        return FEDSTATE_ENODC;
    at = find(store, state->datacenter, &found);
    if (!found && change->op == FEDSTATE__CHANGE__OP__DELETE)
        return 0;
    /* Compare and set: a deposed leader's late Apply must not overwrite a newer
     * one (section 6). */
    stands = found ? store->states[at]->modify_index : 0;
    if (!change->unconditional && change->replaces_index != stands)
        return FEDSTATE_ESTALE;
    if (change->op == FEDSTATE__CHANGE__OP__UPSERT)
        rv = upsert(store, index, state);
    else
        remove_at(store, index, at);
    if (rv == 0)
        fedstate_waiters_changed(store, state->datacenter);
    return rv;
}

uint64_t fedstate_store_index(const struct fedstate_store *store)
{
    assert(store->index >= 1);
    return store->index;
}

/* Of a record that is not there we know only that it went no later than the
 * last deletion: taking that index may wake a reader in vain, once, and never
 * leaves one asleep. */
uint64_t fedstate_store_index_of(const struct fedstate_store *store,
                                 const char *datacenter)
{
    const Fedstate__FederationState *state;

    if (datacenter == NULL)
        return fedstate_store_index(store);
    state = fedstate_store_get(store, datacenter);
    if (state != NULL)
        return state->modify_index > 1 ? state->modify_index : 1;
    return store->delete_index > 1 ? store->delete_index : 1;
}

size_t fedstate_store_count(const struct fedstate_store *store)
{
    return store->count;
}

const Fedstate__FederationState *
fedstate_store_at(const struct fedstate_store *store, size_t position)
{
    assert(position < store->count);
    return store->states[position];
}

const Fedstate__FederationState *
fedstate_store_get(const struct fedstate_store *store, const char *datacenter)
{
    bool found;
    size_t at = find(store, datacenter, &found);

    return found ? store->states[at] : NULL;
}
