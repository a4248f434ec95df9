/*
 * Waiting readers. A wake sets each waiter's timer to zero, so that callbacks
 * run from the loop and may add or cancel waiters as they like.
 */
#include "server/watch.h"

#include "base/alloc.h"
#include "base/error.h"

struct watch {
    struct watch_list *list;
    struct watch *prev, *next;
    struct base_timer timer;
    enum watch_wake why;
    bool default_mode;
    watch_fn done;
    void *arg;
};

void watch_list_init(struct watch_list *list, struct base_env *env)
{
    *list = (struct watch_list){.env = env};
}

static void unlink_watch(struct watch *watch)
{
    struct watch_list *list = watch->list;

    if (watch->prev)
        watch->prev->next = watch->next;
    else
        list->first = watch->next;
    if (watch->next)
        watch->next->prev = watch->prev;
    else
        list->last = watch->prev;
    list->count--;
}

void watch_cancel(struct watch *watch)
{
    base_timer_stop(&watch->timer);
    unlink_watch(watch);
    base_free(watch);
}

void watch_list_close(struct watch_list *list)
{
    while (list->first)
        watch_cancel(list->first);
}

static void on_timer(void *arg)
{
    struct watch *watch = arg;
    watch_fn done = watch->done;
    void *done_arg = watch->arg;
    enum watch_wake why = watch->why;

    watch_cancel(watch);
    done(done_arg, why);
}

int watch_add(struct watch_list *list, uint32_t wait_ms, bool default_mode,
              watch_fn done, void *arg, struct watch **out)
{
    struct watch *watch;

    if (list->count >= WATCHES_MAX)
        return BASE_EFULL;
    BASE_NEW(watch);
    watch->list = list;
    watch->why = WATCH_TIMEOUT;
    watch->default_mode = default_mode;
    watch->done = done;
    watch->arg = arg;
    watch->prev = list->last;
    if (list->last)
        list->last->next = watch;
    else
        list->first = watch;
    list->last = watch;
    list->count++;
    base_timer_init(&watch->timer, list->env, "watch", on_timer, watch);
    base_timer_start_ms(&watch->timer, wait_ms);
    *out = watch;
    return 0;
}

static void wake(struct watch_list *list, enum watch_wake why, bool all)
{
    struct watch *watch;

    for (watch = list->first; watch; watch = watch->next) {
        if (watch->why != WATCH_TIMEOUT || (!all && !watch->default_mode))
            continue;
        watch->why = why;
        base_timer_start_ns(&watch->timer, 0);
    }
}

void watch_list_wake(struct watch_list *list)
{
    wake(list, WATCH_CHANGED, true);
}

void watch_list_abandon(struct watch_list *list)
{
    wake(list, WATCH_LEADER_LOST, false);
}
