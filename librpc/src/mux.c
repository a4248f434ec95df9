/*
 * One multiplexed connection. A message of up to one part is one frame and is
 * sent at once. Of a longer one the first part goes at once, and the rest only
 * after the receiver's grant, in parts that take turns with those of others:
 * so a long message delays a short one by OUT_WINDOW_BYTES at most, and what a
 * peer can make us hold is streams_max parts and two granted messages.
 *
 * A connection with calls under way asks the peer for a sign of life when it
 * has been silent for KEEPALIVE_MS, and ends after twice that. Formats are
 * frame.c's and docs/protocol.md's.
 */
#include "mux.h"

#include <string.h>
#include <sys/queue.h>

#include "base/alloc.h"
#include "base/error.h"
#include "rpc/error.h"

#define KEEPALIVE_MS 15000u
#define PARTIAL_STALL_MS 60000u /* a granted message that stopped coming */
#define OUT_WINDOW_BYTES (256u * 1024u)
#define OUT_PAUSE_BYTES (1024u * 1024u) /* server: read on when it is gone */

struct inflow {
    TAILQ_ENTRY(inflow) link;
    struct frame_head head;
    uint64_t arrived_ms;
    uint64_t last_ms;
    bool granted;
    struct base_buf body;
};

struct outflow {
    TAILQ_ENTRY(outflow) link;
    uint32_t id;
    bool granted;
    uint8_t *rest; /* the body after its first part */
    size_t len;
    size_t sent;
};

struct rpc_mux {
    struct base_env *env;
    struct base_stream *stream;
    bool server;
    bool greeted;    /* the peer's hello has come */
    bool ended;      /* on_end was told */
    bool write_failed;
    bool finish_wanted;
    bool finishing;  /* our direction has been ended */
    bool going_away;
    bool pinged;
    bool *gone;      /* set by rpc_mux_free() during a callback */
    unsigned load;
    uint32_t last_id;
    uint32_t goaway_id;
    struct rpc_mux_limits limits;
    struct frame_hello peer;
    const struct rpc_mux_events *events;
    void *arg;
    struct base_timer timer;
    uint64_t timer_due_ms;
    uint64_t last_in_ms;
    uint64_t idle_since_ms;
    uint64_t granted_bytes;
    unsigned partial_count;
    TAILQ_HEAD(inflow_list, inflow) inflows;    /* the oldest first */
    TAILQ_HEAD(outflow_list, outflow) outflows; /* the next to send first */
};

/* ---- the end ---- */

static void end(struct rpc_mux *mux, int err, const char *why)
{
    if (mux->ended)
        return;
    mux->ended = true;
    mux->events->on_end(mux->arg, err, why);
}

/* ---- the clock ---- */

static void arm(struct rpc_mux *mux, uint64_t due_ms)
{
    uint64_t now_ms = base_env_now_ms(mux->env);

    mux->timer_due_ms = due_ms;
    base_timer_start_ms(&mux->timer, due_ms > now_ms ? due_ms - now_ms : 0);
}

static bool is_busy(const struct rpc_mux *mux)
{
    return mux->load > 0 || mux->partial_count > 0 ||
           !TAILQ_EMPTY(&mux->outflows);
}

/* A failed write ends the connection, but not inside the call that wrote. */
static void write_bytes(struct rpc_mux *mux, const void *data, size_t len)
{
    if (mux->write_failed || mux->ended || mux->finishing || len == 0)
        return;
    if (base_stream_write(mux->stream, data, len) == 0)
        return;
    mux->write_failed = true;
    arm(mux, 0);
}

static void write_empty(struct rpc_mux *mux, enum frame_type type, uint32_t id)
{
    uint8_t bytes[FRAME_HEADER_BYTES];

    frame_write_header(bytes, (uint8_t)type, id, 0);
    write_bytes(mux, bytes, sizeof(bytes));
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
        end(mux, BASE_ETIMEOUT, "peer has fallen silent");
        return;
    }
    if (has_stalled(mux, now_ms)) {
        end(mux, BASE_ETIMEOUT, "a message stopped in its middle");
        return;
    }
    if (silent_ms >= KEEPALIVE_MS && !mux->pinged) {
        mux->pinged = true;
        write_empty(mux, FRAME_PING, 0);
    }
    if (!mux->write_failed)
        arm(mux, mux->last_in_ms +
                     (mux->pinged ? 2 : 1) * (uint64_t)KEEPALIVE_MS);
}

static void on_timer(void *arg)
{
    struct rpc_mux *mux = arg;
    uint64_t now_ms = base_env_now_ms(mux->env);
    uint64_t idle_due_ms = mux->idle_since_ms + mux->limits.idle_timeout_ms;

    if (mux->write_failed) {
        end(mux, RPC_ECLOSED, "connection lost while writing");
    } else if (is_busy(mux)) {
        check_busy(mux, now_ms);
    } else if (now_ms < idle_due_ms) {
        arm(mux, idle_due_ms);
    } else {
        mux->idle_since_ms = now_ms;
        arm(mux, now_ms + mux->limits.idle_timeout_ms);
        mux->events->on_idle(mux->arg);
    }
}

/* To be called when something has become busy or stopped to be. */
static void note_load(struct rpc_mux *mux, bool was_busy)
{
    uint64_t now_ms;

    if (was_busy == is_busy(mux))
        return;
    now_ms = base_env_now_ms(mux->env);
    if (was_busy) {
        mux->idle_since_ms = now_ms;
        if (mux->timer_due_ms > now_ms + mux->limits.idle_timeout_ms)
            arm(mux, now_ms + mux->limits.idle_timeout_ms);
        return;
    }
    /* Silence counts from now on, not from the last call. */
    mux->last_in_ms = now_ms;
    mux->pinged = false;
    if (mux->timer_due_ms > now_ms + KEEPALIVE_MS)
        arm(mux, now_ms + KEEPALIVE_MS);
}

/* ---- sending ---- */

static void outflow_free(struct rpc_mux *mux, struct outflow *out)
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
    write_bytes(mux, header, sizeof(header));
    write_bytes(mux, out->rest + out->sent, len);
    out->sent += len;
    if (out->sent == out->len) {
        outflow_free(mux, out);
        return;
    }
    /* To the end of the line: others take their turn. */
    TAILQ_REMOVE(&mux->outflows, out, link);
    TAILQ_INSERT_TAIL(&mux->outflows, out, link);
}

static void drop_outflow(struct rpc_mux *mux, uint32_t id)
{
    struct outflow *out;
    struct outflow *next;

    for (out = TAILQ_FIRST(&mux->outflows); out != NULL; out = next) {
        next = TAILQ_NEXT(out, link);
        if (out->id == id)
            outflow_free(mux, out);
    }
}

static void finish_if_done(struct rpc_mux *mux)
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

static void send_parts(struct rpc_mux *mux)
{
    bool was_busy = is_busy(mux);
    struct outflow *out;

    while (!mux->write_failed &&
           base_stream_pending(mux->stream) < OUT_WINDOW_BYTES &&
           (out = next_granted(mux)) != NULL)
        send_part(mux, out);
    finish_if_done(mux);
    note_load(mux, was_busy);
}

void rpc_mux_send(struct rpc_mux *mux, uint32_t id,
                  const struct frame_start *start, const void *body,
                  size_t len)
{
    size_t first = frame_first_part(len);
    bool was_busy = is_busy(mux);
    struct outflow *out;

    write_bytes(mux, start->bytes, start->len);
    write_bytes(mux, body, first);
    if (len == first)
        return;
    BASE_NEW(out);
    out->id = id;
    out->len = len - first;
    out->rest = base_memdup((const uint8_t *)body + first, out->len);
    TAILQ_INSERT_TAIL(&mux->outflows, out, link);
    note_load(mux, was_busy);
}

/* ---- receiving ---- */

static void inflow_free(struct rpc_mux *mux, struct inflow *in)
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

    TAILQ_FOREACH(in, &mux->inflows, link) {
        if (in->granted)
            continue;
        if (mux->granted_bytes > 0 &&
            mux->granted_bytes + in->head.total > budget)
            return;
        in->granted = true;
        in->last_ms = base_env_now_ms(mux->env);
        mux->granted_bytes += in->head.total;
        write_empty(mux, FRAME_GRANT, in->head.id);
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
        drop_outflow(mux, frame->id);
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
    was_busy = is_busy(mux);
    BASE_NEW(in);
    in->head = head;
    in->arrived_ms = base_env_now_ms(mux->env);
    base_buf_append(&in->body, part, part_len);
    TAILQ_INSERT_TAIL(&mux->inflows, in, link);
    mux->partial_count++;
    grant(mux);
    note_load(mux, was_busy);
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
    was_busy = is_busy(mux);
    head = in->head;
    arrived_ms = in->arrived_ms;
    body = in->body;
    in->body = (struct base_buf)BASE_BUF_INIT;
    inflow_free(mux, in);
    grant(mux);
    mux->events->on_message(mux->arg, &head, arrived_ms, base_buf_data(&body),
                            base_buf_len(&body), &body);
    base_buf_close(&body);
    if (!*gone)
        note_load(mux, was_busy);
    return 0;
}

static int take_grant(struct rpc_mux *mux, uint32_t id)
{
    struct outflow *out;

    TAILQ_FOREACH(out, &mux->outflows, link)
        if (out->id == id)
            out->granted = true;
    send_parts(mux);
    return 0;
}

/* Drops what is under way of a message, both directions. */
static void forget(struct rpc_mux *mux, uint32_t id)
{
    struct inflow *in = find_inflow(mux, id);
    bool was_busy = is_busy(mux);

    if (in != NULL)
        inflow_free(mux, in);
    drop_outflow(mux, id);
    grant(mux);
    finish_if_done(mux);
    note_load(mux, was_busy);
}

static int take_cancel(struct rpc_mux *mux, uint32_t id)
{
    if (!mux->server)
        return RPC_EPEER;
    forget(mux, id);
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

static int take_frame(struct rpc_mux *mux, const struct frame *frame,
                      const bool *gone)
{
    if (!mux->greeted && frame->type != FRAME_HELLO)
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
        write_empty(mux, FRAME_PONG, frame->id);
        return 0;
    case FRAME_PONG:
        return 0;
    }
    return (frame->type & FRAME_IGNORABLE) != 0 ? 0 : RPC_EPEER;
}

/* A server reads no further requests while the caller does not fetch answers. */
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
        if (take_frame(mux, &frame, &gone) < 0)
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
        end(mux, (int)used, "peer broke the RPC protocol");
}

static void on_readable(void *arg)
{
    take_input(arg);
}

static void on_drained(void *arg)
{
    struct rpc_mux *mux = arg;

    send_parts(mux);
    if (mux->server && base_stream_len(mux->stream) > 0)
        take_input(mux);
}

static void on_closed(void *arg, int err)
{
    struct rpc_mux *mux = arg;

    if (err == 0)
        end(mux, RPC_ECLOSED, "peer closed the connection");
    else
        end(mux, err, rpc_strerror(err));
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
    mux->peer = (struct frame_hello){
        FRAME_VERSION,
        (uint16_t)(limits->streams_max < UINT16_MAX ? limits->streams_max
                                                    : UINT16_MAX),
        limits->message_bytes_max};
    TAILQ_INIT(&mux->inflows);
    TAILQ_INIT(&mux->outflows);
    mux->last_in_ms = mux->idle_since_ms = base_env_now_ms(env);
    base_timer_init(&mux->timer, env, "rpc-mux", on_timer, mux);
    arm(mux, mux->idle_since_ms + limits->idle_timeout_ms);
    frame_write_hello(hello, &mux->peer);
    write_bytes(mux, hello, sizeof(hello));
    base_stream_set_events(stream, &mux_events, mux);
    return mux;
}

void rpc_mux_free(struct rpc_mux *mux)
{
    if (mux->gone != NULL)
        *mux->gone = true;
    base_timer_stop(&mux->timer);
    while (!TAILQ_EMPTY(&mux->inflows))
        inflow_free(mux, TAILQ_FIRST(&mux->inflows));
    while (!TAILQ_EMPTY(&mux->outflows))
        outflow_free(mux, TAILQ_FIRST(&mux->outflows));
    base_stream_close(mux->stream);
    base_free(mux);
}

void rpc_mux_cancel(struct rpc_mux *mux, uint32_t id)
{
    forget(mux, id);
    if (!mux->server)
        write_empty(mux, FRAME_CANCEL, id);
}

void rpc_mux_goaway(struct rpc_mux *mux)
{
    if (mux->going_away)
        return;
    mux->going_away = true;
    write_empty(mux, FRAME_GOAWAY, mux->last_id);
}

void rpc_mux_finish(struct rpc_mux *mux)
{
    mux->finish_wanted = true;
    finish_if_done(mux);
}

void rpc_mux_set_load(struct rpc_mux *mux, unsigned calls)
{
    bool was_busy = is_busy(mux);

    mux->load = calls;
    note_load(mux, was_busy);
}

void rpc_mux_set_idle_timeout(struct rpc_mux *mux, uint32_t timeout_ms)
{
    mux->limits.idle_timeout_ms = timeout_ms;
    mux->idle_since_ms = base_env_now_ms(mux->env);
    if (!is_busy(mux))
        arm(mux, mux->idle_since_ms + timeout_ms);
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
