/*
 * What each frame does, and messages that come in parts. What a peer can make
 * us hold is one part for each call in flight and the messages that were
 * granted, two of the largest at a time.
 */
#include "base/alloc.h"
#include "mux_priv.h"
#include "rpc/error.h"

void mux_inflow_free(struct rpc_mux *mux, struct inflow *in)
{
    if (in->granted)
        mux->granted_bytes -= in->head.total;
    TAILQ_REMOVE(&mux->inflows, in, link);
    mux->partial_count--;
    base_buf_close(&in->body);
    base_free(in);
}

static struct inflow *find_inflow(struct rpc_mux *mux, uint32_t id)
{
    struct inflow *in;

    TAILQ_FOREACH(in, &mux->inflows, link)
    if (in->head.id == id)
        return in;
    return NULL;
}

/* Lets waiting messages come, the oldest first, as far as memory is set aside
 * for them; one always may. */
static void grant(struct rpc_mux *mux)
{
    uint64_t budget = 2 * (uint64_t)mux->limits.message_bytes_max;
    struct inflow *in;

    TAILQ_FOREACH(in, &mux->inflows, link)
    {
        if (in->granted)
            continue;
        if (mux->granted_bytes > 0 &&
            mux->granted_bytes + in->head.total > budget)
            return;
        in->granted = true;
        in->last_ms = base_env_now_ms(mux->env);
        mux->granted_bytes += in->head.total;
        mux_write_empty(mux, FRAME_GRANT, in->head.id);
    }
}

/* Every call of the user from here on may free the mux: it tells by *gone. */

static int begin_message(struct rpc_mux *mux, const struct frame *frame,
                         const bool *gone)
{
    struct frame_head head;
    struct inflow *in;
    const uint8_t *part;
    size_t part_len;
    bool was_busy;

    if ((frame->type == FRAME_REQUEST) != mux->server || frame->id == 0 ||
        frame_read_head(frame, &head, &part, &part_len) < 0)
        return RPC_EPEER;
    if (mux->server) {
        if (frame->id <= mux->last_id)
            return RPC_EPEER;
        /* After our goaway the caller asks someone else. */
        if (mux->going_away)
            return 0;
        mux->last_id = frame->id;
    } else {
        /* Answered: the rest of the request is of no use. */
        mux_drop_outflow(mux, frame->id);
    }
    if (find_inflow(mux, frame->id) != NULL)
        return RPC_EPEER;
    if (mux->events->on_begin(mux->arg, &head) != 0 || *gone)
        return 0;
    if (part_len == head.total) {
        mux->events->on_message(mux->arg, &head, base_env_now_ms(mux->env),
                                part, part_len, NULL);
        return 0;
    }
    was_busy = mux_is_busy(mux);
    BASE_NEW(in);
    in->head = head;
    in->arrived_ms = base_env_now_ms(mux->env);
    base_buf_append(&in->body, part, part_len);
    TAILQ_INSERT_TAIL(&mux->inflows, in, link);
    mux->partial_count++;
    grant(mux);
    mux_note_load(mux, was_busy);
    return 0;
}

static int take_data(struct rpc_mux *mux, const struct frame *frame,
                     const bool *gone)
{
    struct inflow *in = find_inflow(mux, frame->id);
    struct frame_head head;
    uint64_t arrived_ms;
    struct base_buf body;
    bool was_busy;

    /* It crossed our cancel, or the caller's own. */
    if (in == NULL)
        return 0;
    if (!in->granted || frame->len == 0 || frame->len > FRAME_PART_BYTES ||
        frame->len > in->head.total - base_buf_len(&in->body))
        return RPC_EPEER;
    in->last_ms = base_env_now_ms(mux->env);
    base_buf_append(&in->body, frame->payload, frame->len);
    if (base_buf_len(&in->body) < in->head.total)
        return 0;
    was_busy = mux_is_busy(mux);
    head = in->head;
    arrived_ms = in->arrived_ms;
    body = in->body;
    in->body = (struct base_buf)BASE_BUF_INIT;
    mux_inflow_free(mux, in);
    grant(mux);
    mux->events->on_message(mux->arg, &head, arrived_ms, base_buf_data(&body),
                            base_buf_len(&body), &body);
    base_buf_close(&body);
    if (!*gone)
        mux_note_load(mux, was_busy);
    return 0;
}

static int take_grant(struct rpc_mux *mux, uint32_t id)
{
    struct outflow *out;

    TAILQ_FOREACH(out, &mux->outflows, link)
    if (out->id == id)
        out->granted = true;
    mux_send_parts(mux);
    return 0;
}

void mux_forget(struct rpc_mux *mux, uint32_t id)
{
    struct inflow *in = find_inflow(mux, id);
    bool was_busy = mux_is_busy(mux);

    if (in != NULL)
        mux_inflow_free(mux, in);
    mux_drop_outflow(mux, id);
    grant(mux);
    mux_finish_if_done(mux);
    mux_note_load(mux, was_busy);
}

static int take_cancel(struct rpc_mux *mux, uint32_t id)
{
    if (!mux->server)
        return RPC_EPEER;
    mux_forget(mux, id);
    mux->events->on_cancel(mux->arg, id);
    return 0;
}

static int take_goaway(struct rpc_mux *mux, uint32_t last_id)
{
    if (mux->server)
        return RPC_EPEER;
    mux->events->on_goaway(mux->arg, last_id);
    return 0;
}

static int take_hello(struct rpc_mux *mux, const struct frame *frame)
{
    if (mux->greeted || frame_read_hello(frame, &mux->peer) < 0)
        return RPC_EPEER;
    mux->greeted = true;
    return 0;
}

/* These say all that they say by being there. */
static bool has_no_payload(uint8_t type)
{
    return type >= FRAME_GRANT && type <= FRAME_PONG;
}

int mux_take_frame(struct rpc_mux *mux, const struct frame *frame,
                   const bool *gone)
{
    if (!mux->greeted && frame->type != FRAME_HELLO)
        return RPC_EPEER;
    if (has_no_payload(frame->type) && frame->len > 0)
        return RPC_EPEER;
    switch (frame->type) {
    case FRAME_HELLO:
        return take_hello(mux, frame);
    case FRAME_REQUEST:
    case FRAME_RESPONSE:
        return begin_message(mux, frame, gone);
    case FRAME_DATA:
        return take_data(mux, frame, gone);
    case FRAME_GRANT:
        return take_grant(mux, frame->id);
    case FRAME_CANCEL:
        return take_cancel(mux, frame->id);
    case FRAME_GOAWAY:
        return take_goaway(mux, frame->id);
    case FRAME_PING:
        mux_write_empty(mux, FRAME_PONG, frame->id);
        return 0;
    case FRAME_PONG:
        if (mux->events->on_pong != NULL)
            mux->events->on_pong(mux->arg);
        return 0;
    }
    return (frame->type & FRAME_IGNORABLE) != 0 ? 0 : RPC_EPEER;
}
