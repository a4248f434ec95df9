/*
 * When a joined connection has been silent for too long: nothing either way,
 * nothing since one side has ended, or not one byte of answer. Bytes only note
 * the time; a timer looks now and then whether it was long enough ago.
 * Threads: the loop.
 */
#ifndef GATEWAY_IDLE_H
#define GATEWAY_IDLE_H

#include "base/env.h"

struct idle {
    struct base_timer timer;
    uint64_t moved_ms; /* when the last byte did */
    uint64_t began_ms;
    uint32_t idle_ms, half_idle_ms, answer_ms;
    bool half;     /* a side has ended */
    bool answered; /* the one that was dialled has said something, or ended */
};

/** Fills in all but the three limits (0 for answer_ms: none), and starts. fire
 * asks idle_is_over(). */
void idle_start(struct idle *idle, struct base_env *env,
                void (*fire)(void *arg), void *arg);
void idle_stop(struct idle *idle);
/** A byte moved. */
static inline void idle_note(struct idle *idle)
{
    idle->moved_ms = base_env_now_ms(idle->timer.env);
}
/** One side has ended. */
void idle_set_half(struct idle *idle);
/** If not, the timer goes on. */
bool idle_is_over(struct idle *idle);
/** That it is over is for want of an answer. */
bool idle_is_unanswered(const struct idle *idle);

#endif
