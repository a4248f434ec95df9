/*
 * Blocking reads: readers parked until the record (or table) they depend on
 * moves, with one timer each that serves both as limit and as the way to be
 * called from the loop. And watches: the same for the library's own machines,
 * without limits or ends. Source: federation.md section 6, blocking query.
 */
#include <assert.h>

#include "base/alloc.h"
#include "base/error.h"
#include "internal.h"
#include "store_internal.h"

struct fedstate_wait {
    struct fedstate_store *store;
    struct fedstate_wait *next, *prev;
    char *datacenter; /* NULL: any */
    uint64_t min_index;
    bool default_mode;
    bool woken;
    enum fedstate_wake why;
    fedstate_wait_fn done;
    void *arg;
    struct base_timer timer;
};

static void wait_free(struct fedstate_wait *wait)
{
    struct fedstate_store *store = wait->store;

    base_timer_stop(&wait->timer);
    if (wait->prev != NULL)
        wait->prev->next = wait->next;
    else
        store->waits = wait->next;
    if (wait->next != NULL)
        wait->next->prev = wait->prev;
    store->wait_count--;
    base_free(wait->datacenter);
    base_free(wait);
}

static void on_timer(void *arg)
{
    struct fedstate_wait *wait = arg;
    fedstate_wait_fn done = wait->done;
    void *done_arg = wait->arg;
    enum fedstate_wake why =
        wait->woken ? wait->why : FEDSTATE_WAKE_TIMEOUT;

    wait_free(wait);
    done(done_arg, why);
}

static void wake(struct fedstate_wait *wait, enum fedstate_wake why)
{
    if (wait->woken)
        return;
    wait->woken = true;
    wait->why = why;
    base_timer_start_ns(&wait->timer, 0);
}

static void link_wait(struct fedstate_store *store, struct fedstate_wait *wait)
{
    wait->next = store->waits;
    if (store->waits != NULL)
        store->waits->prev = wait;
    store->waits = wait;
    store->wait_count++;
}

/* Up to 1/16 more, so that readers that came together do not end together. */
static uint64_t limit_ms(struct base_env *env, uint32_t max_wait_ms)
{
    uint64_t limit = max_wait_ms != 0 ? max_wait_ms : FEDSTATE_WAIT_DEFAULT_MS;

    if (limit > FEDSTATE_WAIT_MAX_MS)
        limit = FEDSTATE_WAIT_MAX_MS;
    return limit + base_env_random_below(env, limit / 16 + 1);
}

int fedstate_store_wait(struct fedstate_store *store, const char *datacenter,
                        uint64_t min_index, uint32_t max_wait_ms,
                        bool default_mode, fedstate_wait_fn done, void *arg,
                        struct fedstate_wait **out)
{
    struct fedstate_wait *wait;

    if (out != NULL)
        *out = NULL;
    if (store->wait_count >= FEDSTATE_WAITERS_MAX) {
        base_counter_add(store->waits_refused, 1);
        return BASE_EFULL;
    }
    BASE_NEW(wait);
    wait->store = store;
    wait->datacenter = base_strdup(datacenter);
    wait->min_index = min_index;
    wait->default_mode = default_mode;
    wait->done = done;
    wait->arg = arg;
    base_timer_init(&wait->timer, store->env, "fedstate-wait", on_timer, wait);
    link_wait(store, wait);
    if (fedstate_store_index_of(store, datacenter) > min_index)
        wake(wait, FEDSTATE_WAKE_CHANGED);
    else
        base_timer_start_ms(&wait->timer, limit_ms(store->env, max_wait_ms));
    if (out != NULL)
        *out = wait;
    return 0;
}

void fedstate_wait_cancel(struct fedstate_wait *wait)
{
    if (wait != NULL)
        wait_free(wait);
}

void fedstate_store_abandon(struct fedstate_store *store)
{
    struct fedstate_wait *wait;

    for (wait = store->waits; wait != NULL; wait = wait->next)
        if (wait->default_mode)
            wake(wait, FEDSTATE_WAKE_LEADER_LOST);
}

static void on_watch(void *arg)
{
    struct fedstate_watch *watch = arg;

    watch->changed(watch->arg);
}

void fedstate_watch_start(struct fedstate_watch *watch,
                          struct fedstate_store *store, const char *datacenter,
                          void (*changed)(void *arg), void *arg)
{
    *watch = (struct fedstate_watch){.store = store,
                                     .next = store->watches,
                                     .datacenter = datacenter,
                                     .changed = changed,
                                     .arg = arg};
    base_timer_init(&watch->timer, store->env, "fedstate-watch", on_watch,
                    watch);
    if (store->watches != NULL)
        store->watches->prev = watch;
    store->watches = watch;
}

void fedstate_watch_stop(struct fedstate_watch *watch)
{
    if (watch->store == NULL)
        return;
    base_timer_stop(&watch->timer);
    if (watch->prev != NULL)
        watch->prev->next = watch->next;
    else
        watch->store->watches = watch->next;
    if (watch->next != NULL)
        watch->next->prev = watch->prev;
    watch->store = NULL;
}

static bool concerns(const char *wanted, const char *datacenter)
{
    return wanted == NULL || datacenter == NULL ||
           fedstate_dc_compare(wanted, datacenter) == 0;
}

static void tell_watches(struct fedstate_store *store, const char *datacenter)
{
    struct fedstate_watch *watch;

    for (watch = store->watches; watch != NULL; watch = watch->next)
        if (concerns(watch->datacenter, datacenter))
            base_timer_start_ns(&watch->timer, 0);
}

void fedstate_waiters_changed(struct fedstate_store *store,
                              const char *datacenter)
{
    struct fedstate_wait *wait;

    for (wait = store->waits; wait != NULL; wait = wait->next)
        if (concerns(wait->datacenter, datacenter) &&
            store->index > wait->min_index)
            wake(wait, FEDSTATE_WAKE_CHANGED);
    tell_watches(store, datacenter);
}

void fedstate_waiters_restored(struct fedstate_store *store)
{
    struct fedstate_wait *wait;

    for (wait = store->waits; wait != NULL; wait = wait->next)
        wake(wait, FEDSTATE_WAKE_CHANGED);
    tell_watches(store, NULL);
}

void fedstate_waiters_close(struct fedstate_store *store)
{
    while (store->waits != NULL)
        wait_free(store->waits);
    while (store->watches != NULL)
        fedstate_watch_stop(store->watches);
    assert(store->wait_count == 0);
}
