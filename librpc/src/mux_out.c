/*
 * Messages that go out. A message of up to one part is one frame and is sent at
 * once. Of a longer one the first part goes at once, and the rest only after
 * the receiver's grant, in parts that take turns with those of others: so a
 * long message delays a short one by OUT_WINDOW_BYTES at most.
 */
#include "base/alloc.h"
#include "mux_priv.h"

#define OUT_WINDOW_BYTES (256u * 1024u)

void mux_write(struct rpc_mux *mux, const void *data, size_t len)
{
    if (mux->write_failed || mux->ended || mux->finishing || len == 0)
        return;
    if (base_stream_write(mux->stream, data, len) == 0)
        return;
    mux->write_failed = true;
    mux_arm(mux, 0);
}

void mux_write_empty(struct rpc_mux *mux, enum frame_type type, uint32_t id)
{
    uint8_t bytes[FRAME_HEADER_BYTES];

    frame_write_header(bytes, (uint8_t)type, id, 0);
    mux_write(mux, bytes, sizeof(bytes));
}

void mux_outflow_free(struct rpc_mux *mux, struct outflow *out)
{
    TAILQ_REMOVE(&mux->outflows, out, link);
    base_free(out->rest);
    base_free(out);
}

static void send_part(struct rpc_mux *mux, struct outflow *out)
{
    size_t len = out->len - out->sent;
    uint8_t header[FRAME_HEADER_BYTES];

    if (len > FRAME_PART_BYTES)
        len = FRAME_PART_BYTES;
    frame_write_header(header, FRAME_DATA, out->id, len);
    mux_write(mux, header, sizeof(header));
    mux_write(mux, out->rest + out->sent, len);
    out->sent += len;
    if (out->sent == out->len) {
        mux_outflow_free(mux, out);
        return;
    }
    /* To the end of the line: others take their turn. */
    TAILQ_REMOVE(&mux->outflows, out, link);
    TAILQ_INSERT_TAIL(&mux->outflows, out, link);
}

void mux_drop_outflow(struct rpc_mux *mux, uint32_t id)
{
    struct outflow *out;
    struct outflow *next;

    for (out = TAILQ_FIRST(&mux->outflows); out != NULL; out = next) {
        next = TAILQ_NEXT(out, link);
        if (out->id == id)
            mux_outflow_free(mux, out);
    }
}

void mux_finish_if_done(struct rpc_mux *mux)
{
    if (!mux->finish_wanted || mux->finishing || !TAILQ_EMPTY(&mux->outflows))
        return;
    mux->finishing = true;
    base_stream_shutdown(mux->stream);
}

static struct outflow *next_granted(struct rpc_mux *mux)
{
    struct outflow *out;

    TAILQ_FOREACH(out, &mux->outflows, link)
    if (out->granted)
        return out;
    return NULL;
}

void mux_send_parts(struct rpc_mux *mux)
{
    bool was_busy = mux_is_busy(mux);
    struct outflow *out;

    while (!mux->write_failed &&
           base_stream_pending(mux->stream) < OUT_WINDOW_BYTES &&
           (out = next_granted(mux)) != NULL)
        send_part(mux, out);
    mux_finish_if_done(mux);
    mux_note_load(mux, was_busy);
}

void rpc_mux_send(struct rpc_mux *mux, uint32_t id,
                  const struct frame_start *start, const void *body, size_t len)
{
    size_t first = frame_first_part(len);
    bool was_busy = mux_is_busy(mux);
    struct outflow *out;

    mux_write(mux, start->bytes, start->len);
    mux_write(mux, body, first);
    if (len == first)
        return;
    BASE_NEW(out);
    out->id = id;
    out->len = len - first;
    out->rest = base_memdup((const uint8_t *)body + first, out->len);
    TAILQ_INSERT_TAIL(&mux->outflows, out, link);
    mux_note_load(mux, was_busy);
}

void rpc_mux_finish(struct rpc_mux *mux)
{
    mux->finish_wanted = true;
    mux_finish_if_done(mux);
}
