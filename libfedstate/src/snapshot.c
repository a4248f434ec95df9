/*
 * The table as bytes, for snapshots of the log that drives it. The index goes
 * along, deletions included, so that readers cannot go backwards over a restore
 * (federation.md section 6).
 */
#include <stdlib.h>
#include <string.h>

#include "base/alloc.h"
#include "base/pb.h"
#include "internal.h"
#include "store_internal.h"

void fedstate_store_snapshot(const struct fedstate_store *store,
                             struct base_buf *out)
{
    Fedstate__Table table = FEDSTATE__TABLE__INIT;

    table.index = store->index;
    table.delete_index = store->delete_index;
    table.n_states = store->count;
    table.states = store->states;
    base_pb_pack(&table, out);
}

/* Sorted by name, each named once, none from the future. */
static bool is_sound(const Fedstate__Table *table)
{
    size_t i;

    if (table->n_states > FEDSTATE_DATACENTERS_MAX ||
        table->delete_index > table->index)
        return false;
    for (i = 0; i < table->n_states; i++) {
        const Fedstate__FederationState *state = table->states[i];

        if (state->datacenter == NULL || state->datacenter[0] == '\0' ||
            state->modify_index > table->index)
            return false;
        if (i > 0 && fedstate_dc_compare(table->states[i - 1]->datacenter,
                                         state->datacenter) >= 0)
            return false;
    }
    return true;
}

int fedstate_store_restore(struct fedstate_store *store, const void *data,
                           size_t len)
{
    Fedstate__Table *table = base_pb_unpack(&fedstate__table__descriptor, data,
                                            len, base_pb_budget(len));
    size_t i;

    if (table == NULL)
        return FEDSTATE_EDECODE;
    if (!is_sound(table)) {
        base_pb_free(table);
        return FEDSTATE_EDECODE;
    }
    for (i = 0; i < store->count; i++)
        base_pb_free(store->states[i]);
    base_free(store->states);
    store->count = store->cap = table->n_states;
    store->states = base_calloc(store->cap, sizeof(store->states[0]));
    if (store->count > 0)
        memcpy(store->states, table->states,
               store->count * sizeof(store->states[0]));
    store->index = table->index > 1 ? table->index : 1;
    store->delete_index = table->delete_index;
    table->n_states = 0; /* they are the store's now */
    base_pb_free(table);
    fedstate_waiters_restored(store);
    return 0;
}
