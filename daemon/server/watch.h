/*
 * Readers that wait for a table to move past an index: a blocking query's
 * heart. The federation states have their own in libfedstate; this one serves
 * the catalog.
 */
#ifndef SERVER_WATCH_H
#define SERVER_WATCH_H

#include "base/env.h"

struct watch_list {
    struct base_env *env;
    struct watch *first, *last;
    size_t count;
};
struct watch;

enum watch_wake { WATCH_CHANGED, WATCH_TIMEOUT, WATCH_LEADER_LOST };
typedef void (*watch_fn)(void *arg, enum watch_wake why);

#define WATCHES_MAX 65536u

void watch_list_init(struct watch_list *list, struct base_env *env);
/** Drops waiters unheard. */
void watch_list_close(struct watch_list *list);
/** done comes once, from the loop: when watch_list_wake() is called, or after
 * wait_ms. Returns 0, or BASE_EFULL. */
int watch_add(struct watch_list *list, uint32_t wait_ms, bool default_mode,
              watch_fn done, void *arg, struct watch **out);
/** done does not come. */
void watch_cancel(struct watch *watch);
void watch_list_wake(struct watch_list *list);
/** Leadership was lost: wakes those in default mode with that reason. */
void watch_list_abandon(struct watch_list *list);

#endif
