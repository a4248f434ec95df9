/*
 * Leave and update: their caller hears once the broadcast has left, or after
 * a timeout. Always from the loop, never from inside a call.
 */
#include "memberlist/node.h"

#include "base/alloc.h"

#define WAITS_MAX 64

struct ml_wait {
    struct gossip_memberlist *ml;
    struct base_timer timer;
    gossip_done_fn done;
    void *arg;
    int status;
    struct ml_wait *next;
};

static void unlink_wait(struct ml_wait *wait)
{
    struct ml_wait **at = &wait->ml->waits;

    while (*at != wait)
        at = &(*at)->next;
    *at = wait->next;
}

/* While the broadcast is queued it holds the wait as its argument: a wait that
 * timed out stays until the queue lets go of it. */
static void on_timer(void *arg)
{
    struct ml_wait *wait = arg;
    gossip_done_fn done = wait->done;
    void *done_arg = wait->arg;
    int status = wait->status;

    wait->done = NULL;
    if (status == 0) {
        unlink_wait(wait);
        base_free(wait);
    }
    if (done != NULL)
        done(done_arg, status);
}

int ml_wait_new(struct gossip_memberlist *ml, uint32_t timeout_ms,
                gossip_done_fn done, void *arg, struct ml_wait **out)
{
    struct ml_wait *wait;
    size_t count = 0;

    for (wait = ml->waits; wait != NULL; wait = wait->next)
        count++;
    if (count >= WAITS_MAX)
        return GOSSIP_EBUSY;
    BASE_NEW(wait);
    wait->ml = ml;
    wait->done = done;
    wait->arg = arg;
    wait->status = GOSSIP_ETIMEOUT;
    wait->next = ml->waits;
    ml->waits = wait;
    base_timer_init(&wait->timer, ml->env, "wait", on_timer, wait);
    base_timer_start_ms(&wait->timer, timeout_ms);
    *out = wait;
    return 0;
}

void ml_wait_done(void *arg)
{
    struct ml_wait *wait = arg;

    wait->status = 0;
    base_timer_start_ns(&wait->timer, 0);
}

void ml_wait_skip(struct ml_wait *wait)
{
    ml_wait_done(wait);
}

void ml_waits_close(struct gossip_memberlist *ml)
{
    while (ml->waits != NULL) {
        struct ml_wait *wait = ml->waits;

        ml->waits = wait->next;
        base_timer_stop(&wait->timer);
        base_free(wait);
    }
}
