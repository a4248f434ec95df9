/*
 * One multiplexed connection: its life, and cutting its input into frames. What
 * frames do is mux_in.c's, sending mux_out.c's, time mux_clock.c's; formats are
 * frame.c's and docs/protocol.md's.
 */
#include "mux_priv.h"

#include "base/alloc.h"
#include "rpc/error.h"

#define OUT_PAUSE_BYTES (1024u * 1024u) /* server: read on when it is gone */

void mux_end(struct rpc_mux *mux, int err, const char *why)
{
    if (mux->ended)
        return;
    mux->ended = true;
    mux->events->on_end(mux->arg, err, why);
}

/* A server reads no more requests while the caller fetches no answers. */
static bool is_paused(const struct rpc_mux *mux)
{
    return mux->server && base_stream_pending(mux->stream) > OUT_PAUSE_BYTES;
}

static void take_input(struct rpc_mux *mux)
{
    bool *outer = mux->gone;
    bool gone = false;
    int64_t used = 0;

    mux->gone = &gone;
    while (!mux->ended && !mux->write_failed && !is_paused(mux)) {
        struct frame frame;

        used = frame_read(base_stream_data(mux->stream),
                          base_stream_len(mux->stream), &frame);
        if (used <= 0)
            break;
        mux->last_in_ms = base_env_now_ms(mux->env);
        mux->pinged = false;
        if (mux_take_frame(mux, &frame, &gone) < 0)
            used = RPC_EPEER;
        if (gone) {
            if (outer != NULL)
                *outer = true;
            return;
        }
        if (used < 0)
            break;
        base_stream_consume(mux->stream, (size_t)used);
    }
    mux->gone = outer;
    if (used < 0)
        mux_end(mux, (int)used, "peer broke the RPC protocol");
}

static void on_readable(void *arg)
{
    take_input(arg);
}

static void on_drained(void *arg)
{
    struct rpc_mux *mux = arg;

    mux_send_parts(mux);
    if (mux->server && base_stream_len(mux->stream) > 0)
        take_input(mux);
}

static void on_closed(void *arg, int err)
{
    struct rpc_mux *mux = arg;

    if (err == 0)
        mux_end(mux, RPC_ECLOSED, "peer closed the connection");
    else
        mux_end(mux, err, rpc_strerror(err));
}

static const struct base_stream_events mux_events = {
    .on_readable = on_readable,
    .on_drained = on_drained,
    .on_closed = on_closed,
};

/* ---- for both sides ---- */

struct rpc_mux *rpc_mux_new(struct base_env *env, struct base_stream *stream,
                            bool server, const struct rpc_mux_limits *limits,
                            const struct rpc_mux_events *events, void *arg)
{
    uint8_t hello[FRAME_HELLO_BYTES];
    struct rpc_mux *mux;

    BASE_NEW(mux);
    mux->env = env;
    mux->stream = stream;
    mux->server = server;
    mux->limits = *limits;
    mux->events = events;
    mux->arg = arg;
    mux->peer = (struct frame_hello){FRAME_VERSION,
                                     (uint16_t)(limits->streams_max < UINT16_MAX
                                                    ? limits->streams_max
                                                    : UINT16_MAX),
                                     limits->message_bytes_max};
    TAILQ_INIT(&mux->inflows);
    TAILQ_INIT(&mux->outflows);
    mux->last_in_ms = mux->idle_since_ms = base_env_now_ms(env);
    base_timer_init(&mux->timer, env, "rpc-mux", mux_on_timer, mux);
    mux_arm(mux, mux->idle_since_ms + limits->idle_timeout_ms);
    frame_write_hello(hello, &mux->peer);
    mux_write(mux, hello, sizeof(hello));
    base_stream_set_events(stream, &mux_events, mux);
    return mux;
}

void rpc_mux_free(struct rpc_mux *mux)
{
    if (mux->gone != NULL)
        *mux->gone = true;
    base_timer_stop(&mux->timer);
    while (!TAILQ_EMPTY(&mux->inflows))
        mux_inflow_free(mux, TAILQ_FIRST(&mux->inflows));
    while (!TAILQ_EMPTY(&mux->outflows))
        mux_outflow_free(mux, TAILQ_FIRST(&mux->outflows));
    base_stream_close(mux->stream);
    base_free(mux);
}

void rpc_mux_cancel(struct rpc_mux *mux, uint32_t id)
{
    mux_forget(mux, id);
    if (!mux->server)
        mux_write_empty(mux, FRAME_CANCEL, id);
}

void rpc_mux_goaway(struct rpc_mux *mux)
{
    if (mux->going_away)
        return;
    mux->going_away = true;
    mux_write_empty(mux, FRAME_GOAWAY, mux->last_id);
}

void rpc_mux_ping(struct rpc_mux *mux)
{
    mux_write_empty(mux, FRAME_PING, 0);
}

uint64_t rpc_mux_heard_ms(const struct rpc_mux *mux)
{
    return mux->last_in_ms;
}

void rpc_mux_set_load(struct rpc_mux *mux, unsigned calls)
{
    bool was_busy = mux_is_busy(mux);

    mux->load = calls;
    mux_note_load(mux, was_busy);
}

void rpc_mux_set_idle_timeout(struct rpc_mux *mux, uint32_t timeout_ms)
{
    mux->limits.idle_timeout_ms = timeout_ms;
    mux->idle_since_ms = base_env_now_ms(mux->env);
    if (!mux_is_busy(mux))
        mux_arm(mux, mux->idle_since_ms + timeout_ms);
}

unsigned rpc_mux_partial_count(const struct rpc_mux *mux)
{
    return mux->partial_count;
}

uint32_t rpc_mux_peer_message_max(const struct rpc_mux *mux)
{
    return mux->peer.message_bytes_max;
}

uint32_t rpc_mux_peer_streams_max(const struct rpc_mux *mux)
{
    return mux->peer.streams_max;
}
