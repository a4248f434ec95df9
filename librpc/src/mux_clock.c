/*
 * The clock of a multiplexed connection. One with calls under way asks the peer
 * for a sign of life when it has been silent for KEEPALIVE_MS, and ends after
 * twice that; one without is idle, and its user is told after a time. There is
 * one timer, and it is moved only when it would fire too late.
 */
#include "base/error.h"
#include "mux_priv.h"
#include "rpc/error.h"

#define KEEPALIVE_MS 15000u
#define PARTIAL_STALL_MS 60000u /* a granted message that stopped coming */

void mux_arm(struct rpc_mux *mux, uint64_t due_ms)
{
    uint64_t now_ms = base_env_now_ms(mux->env);

    mux->timer_due_ms = due_ms;
    base_timer_start_ms(&mux->timer, due_ms > now_ms ? due_ms - now_ms : 0);
}

bool mux_is_busy(const struct rpc_mux *mux)
{
    return mux->load > 0 || mux->partial_count > 0 ||
           !TAILQ_EMPTY(&mux->outflows);
}

static bool has_stalled(const struct rpc_mux *mux, uint64_t now_ms)
{
    const struct inflow *in;

    TAILQ_FOREACH(in, &mux->inflows, link)
    if (in->granted && now_ms - in->last_ms >= PARTIAL_STALL_MS)
        return true;
    return false;
}

static void check_busy(struct rpc_mux *mux, uint64_t now_ms)
{
    uint64_t silent_ms = now_ms - mux->last_in_ms;

    if (silent_ms >= 2 * (uint64_t)KEEPALIVE_MS) {
        mux_end(mux, BASE_ETIMEOUT, "peer has fallen silent");
        return;
    }
    if (has_stalled(mux, now_ms)) {
        mux_end(mux, BASE_ETIMEOUT, "a message stopped in its middle");
        return;
    }
    if (silent_ms >= KEEPALIVE_MS && !mux->pinged) {
        mux->pinged = true;
        mux_write_empty(mux, FRAME_PING, 0);
    }
    if (!mux->write_failed)
        mux_arm(mux, mux->last_in_ms +
                         (mux->pinged ? 2 : 1) * (uint64_t)KEEPALIVE_MS);
}

void mux_on_timer(void *arg)
{
    struct rpc_mux *mux = arg;
    uint64_t now_ms = base_env_now_ms(mux->env);
    uint64_t idle_due_ms = mux->idle_since_ms + mux->limits.idle_timeout_ms;

    if (mux->write_failed) {
        mux_end(mux, RPC_ECLOSED, "connection lost while writing");
    } else if (mux_is_busy(mux)) {
        check_busy(mux, now_ms);
    } else if (now_ms < idle_due_ms) {
        mux_arm(mux, idle_due_ms);
    } else {
        mux->idle_since_ms = now_ms;
        mux_arm(mux, now_ms + mux->limits.idle_timeout_ms);
        mux->events->on_idle(mux->arg);
    }
}

void mux_note_load(struct rpc_mux *mux, bool was_busy)
{
    uint64_t now_ms;

    if (was_busy == mux_is_busy(mux))
        return;
    now_ms = base_env_now_ms(mux->env);
    if (was_busy) {
        mux->idle_since_ms = now_ms;
        if (mux->timer_due_ms > now_ms + mux->limits.idle_timeout_ms)
            mux_arm(mux, now_ms + mux->limits.idle_timeout_ms);
        return;
    }
    /* Silence counts from now on, not from the last call. */
    mux->last_in_ms = now_ms;
    mux->pinged = false;
    if (mux->timer_due_ms > now_ms + KEEPALIVE_MS)
        mux_arm(mux, now_ms + KEEPALIVE_MS);
}
