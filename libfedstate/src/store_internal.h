/*
 * The store's insides, shared by the table (store.c), its snapshot (snapshot.c)
 * and those who wait for it (waiters.c).
 */
#ifndef FEDSTATE_STORE_INTERNAL_H
#define FEDSTATE_STORE_INTERNAL_H

#include "fedstate/store.h"

/**
 * A standing observer within this library: told after each change (several in
 * one turn of the loop are told once). It embeds the watch and counts against
 * no limit, so that foreign readers cannot crowd it out.
 */
struct fedstate_watch {
    struct fedstate_store *store; /* NULL: not watching */
    struct fedstate_watch *next, *prev;
    const char *datacenter; /* NULL: any; borrowed while watching */
    void (*changed)(void *arg);
    void *arg;
    struct base_timer timer;
};

struct fedstate_store {
    struct base_env *env;
    Fedstate__FederationState **states; /* sorted by datacenter */
    size_t count, cap;
    uint64_t index;        /* of the last change; at least 1 */
    uint64_t delete_index; /* of the last deletion; 0: never */

    struct fedstate_wait *waits;
    size_t wait_count;
    struct fedstate_watch *watches;
    struct base_counter *waits_refused;
};

void fedstate_watch_start(struct fedstate_watch *watch,
                          struct fedstate_store *store, const char *datacenter,
                          void (*changed)(void *arg), void *arg);
void fedstate_watch_stop(struct fedstate_watch *watch);

/** A record changed or went: wakes its readers and those of the whole table. */
void fedstate_waiters_changed(struct fedstate_store *store,
                              const char *datacenter);
/** Everything may have changed. */
void fedstate_waiters_restored(struct fedstate_store *store);
/** The store goes: their callbacks do not come. */
void fedstate_waiters_close(struct fedstate_store *store);

#endif
