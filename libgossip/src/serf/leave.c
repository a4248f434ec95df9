/*
 * Saying goodbye, our own and on behalf of a member that failed
 * (gossip.md 3.9). A step that times out is logged, and the next one follows:
 * in a large pool the retransmits may take longer than anybody wants to wait.
 */
#include "serf/core.h"

#include "base/alloc.h"
#include "serf/snapshot.h"

#define FORCE_LEAVES_MAX 64u

struct serf_leave {
    struct gossip_serf *serf;
    struct base_timer timer;
    gossip_done_fn done;
    void *arg;
};

/* The end of everything: also reached at once by a second leave. */
static void on_left(void *arg)
{
    struct serf_leave *leave = arg;
    gossip_done_fn done = leave->done;
    void *done_arg = leave->arg;

    leave->serf->state = GOSSIP_SERF_LEFT;
    leave->serf->leave = NULL;
    base_free(leave);
    if (done != NULL)
        done(done_arg, 0);
}

static void on_memberlist_left(void *arg, int status)
{
    struct gossip_serf *serf = arg;

    if (status < 0)
        base_log(&serf->log, BASE_LOG_WARN, "leave was not fully announced",
                 kv_str("error", gossip_strerror(status)));
    /* Time for the news to travel before our process goes. */
    base_timer_start_ms(&serf->leave->timer,
                        serf->cfg.leave_propagate_delay_ms);
}

static void on_intent_sent(void *arg, int status)
{
    struct gossip_serf *serf = arg;
    int rv;

    if (status < 0)
        base_log(&serf->log, BASE_LOG_WARN,
                 "leave intent did not leave in time");
    rv = gossip_memberlist_leave(serf->memberlist,
                                 serf->cfg.broadcast_timeout_ms,
                                 on_memberlist_left, serf);
    if (rv < 0)
        on_memberlist_left(serf, rv);
}

/* The intent, applied here and told to the others. */
static void announce(struct gossip_serf *serf, const char *name, bool prune,
                     gossip_done_fn done, void *arg)
{
    struct serf_msg_intent msg = {.ltime = serf_lamport_take(&serf->clock),
                                  .node = mp_str_of(name),
                                  .prune = prune};
    struct base_buf out = BASE_BUF_INIT;

    serf_put_intent(&out, SERF_LEAVE, &msg);
    (void)serf_leave_intent(serf, name, msg.ltime, prune);
    serf_broadcast_wait(serf, base_buf_data(&out), base_buf_len(&out),
                        serf->cfg.broadcast_timeout_ms, done, arg);
    base_buf_close(&out);
}

int gossip_serf_leave(struct gossip_serf *serf, gossip_done_fn done, void *arg)
{
    struct serf_leave *leave;

    if (serf->leave != NULL)
        return GOSSIP_ESTATE;
    BASE_NEW(leave);
    leave->serf = serf;
    leave->done = done;
    leave->arg = arg;
    base_timer_init(&leave->timer, serf->env, "serf-leave", on_left, leave);
    serf->leave = leave;
    if (serf->state == GOSSIP_SERF_LEFT) {
        base_timer_start_ns(&leave->timer, 0);
        return 0;
    }
    serf->state = GOSSIP_SERF_LEAVING;
    serf_snapshot_leave(serf->snapshot);
    announce(serf, serf->cfg.name, false, on_intent_sent, serf);
    return 0;
}

struct serf_force_leave {
    struct gossip_serf *serf;
    struct serf_force_leave *next;
    gossip_done_fn done;
    void *arg;
};

static void free_force_leave(struct serf_force_leave *op)
{
    struct serf_force_leave **at = &op->serf->force_leaves;

    while (*at != op)
        at = &(*at)->next;
    *at = op->next;
    op->serf->force_leave_count--;
    base_free(op);
}

static void on_force_left(void *arg, int status)
{
    struct serf_force_leave *op = arg;
    gossip_done_fn done = op->done;
    void *done_arg = op->arg;

    free_force_leave(op);
    if (done != NULL)
        done(done_arg, status);
}

int gossip_serf_force_leave(struct gossip_serf *serf, const char *name,
                            bool prune, gossip_done_fn done, void *arg)
{
    struct serf_force_leave *op;
    char checked[GOSSIP_NAME_MAX + 1];

    if (!serf_name_copy(checked, mp_str_of(name)))
        return GOSSIP_ENAME;
    if (serf->force_leave_count >= FORCE_LEAVES_MAX)
        return GOSSIP_EBUSY;
    BASE_NEW(op);
    op->serf = serf;
    op->done = done;
    op->arg = arg;
    op->next = serf->force_leaves;
    serf->force_leaves = op;
    serf->force_leave_count++;
    announce(serf, name, prune, on_force_left, op);
    return 0;
}

void serf_leave_close(struct gossip_serf *serf)
{
    while (serf->force_leaves != NULL)
        free_force_leave(serf->force_leaves);
    if (serf->leave == NULL)
        return;
    base_timer_stop(&serf->leave->timer);
    base_free(serf->leave);
    serf->leave = NULL;
}
