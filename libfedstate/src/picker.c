/*
 * The choice among candidates: at random, so that load spreads and retries
 * wander, and past those that failed a moment ago while another is left
 * (federation.md section 9). A gateway that fails again and again is left out
 * for longer each time: who asks once a minute would else meet a dead one half
 * of the time. The memory is a small ring: a gateway forgotten too early costs
 * one more failed dial.
 */
#include <string.h>

#include "base/alloc.h"
#include "base/env.h"
#include "fedstate/locator.h"

#define FAILURES_MAX 64u
#define FAILURE_MEMORY_MS 10000u /* after the first failure in a row */
#define FAILURE_DOUBLINGS_MAX 5u /* 320 s at most */

struct failure {
    struct base_addr addr; /* family 0: free */
    uint64_t until_ms;
    unsigned in_a_row;
};

struct fedstate_picker {
    struct base_env *env;
    struct fedstate_routes *routes; /* NULL until set */
    struct failure failures[FAILURES_MAX];
    size_t next; /* slot to take, the oldest */
};

struct fedstate_picker *fedstate_picker_new(struct base_env *env)
{
    struct fedstate_picker *picker;

    BASE_NEW(picker);
    picker->env = env;
    return picker;
}

void fedstate_picker_free(struct fedstate_picker *picker)
{
    if (picker == NULL)
        return;
    fedstate_routes_free(picker->routes);
    base_free(picker);
}

void fedstate_picker_set(struct fedstate_picker *picker,
                         struct fedstate_routes *routes)
{
    fedstate_routes_free(picker->routes);
    picker->routes = routes;
}

static struct failure *find(struct fedstate_picker *picker,
                            const struct base_addr *addr)
{
    size_t i;

    for (i = 0; i < FAILURES_MAX; i++)
        if (picker->failures[i].addr.family != 0 &&
            base_addr_equal(&picker->failures[i].addr, addr))
            return &picker->failures[i];
    return NULL;
}

static bool failed_lately(struct fedstate_picker *picker,
                          const struct base_addr *addr)
{
    const struct failure *failure = find(picker, addr);

    return failure != NULL && base_env_now_ms(picker->env) < failure->until_ms;
}

/* One of these but avoid, unless it is the only one. */
static void choose(struct fedstate_picker *picker,
                   const struct base_addr *const *from, size_t count,
                   const struct base_addr *avoid, struct base_addr *out)
{
    size_t at = base_env_random_below(picker->env, count);

    if (avoid != NULL && count > 1 && base_addr_equal(from[at], avoid))
        at = (at + 1 + base_env_random_below(picker->env, count - 1)) % count;
    *out = *from[at];
}

int fedstate_picker_pick(struct fedstate_picker *picker, const char *dc,
                         const struct base_addr *avoid, struct base_addr *out)
{
    const struct base_addr *addrs;
    const struct base_addr *good[FEDSTATE_CANDIDATES_MAX];
    size_t count = 0;
    size_t good_count = 0;
    size_t i;

    if (picker->routes == NULL)
        return FEDSTATE_ENOGATEWAY;
    addrs = fedstate_routes_for(picker->routes, dc, &count);
    if (count == 0)
        return FEDSTATE_ENOGATEWAY;
    for (i = 0; i < count; i++)
        if (!failed_lately(picker, &addrs[i]))
            good[good_count++] = &addrs[i];
    if (good_count > 0)
        choose(picker, good, good_count, avoid, out);
    else
        *out = addrs[base_env_random_below(picker->env, count)];
    return 0;
}

void fedstate_picker_report(struct fedstate_picker *picker,
                            const struct base_addr *gateway, int status)
{
    struct failure *failure = find(picker, gateway);

    if (status >= 0) {
        if (failure != NULL)
            failure->addr.family = 0;
        return;
    }
    if (failure == NULL) {
        failure = &picker->failures[picker->next];
        picker->next = (picker->next + 1) % FAILURES_MAX;
        failure->in_a_row = 0;
    }
    failure->addr = *gateway;
    failure->until_ms = base_env_now_ms(picker->env) +
                        (UINT64_C(1) << failure->in_a_row) * FAILURE_MEMORY_MS;
    if (failure->in_a_row < FAILURE_DOUBLINGS_MAX)
        failure->in_a_row++;
}
