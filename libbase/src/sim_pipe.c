/*
 * One direction of a simulated connection: an ordered queue of segments under
 * a window. Bytes wait at the writer (out), travel, wait at the reader's
 * machine (arrived), and end in the reader's input; the writer may have
 * SIM_WINDOW_BYTES in the middle two. Data needs its link up, its
 * acknowledgement the link back: where either is missing the pipe stalls, and
 * after 30 s the connection is reset (RFC 9293 3.8.3 in spirit; real stacks
 * are more patient).
 */
#include <string.h>

#include "base/error.h"
#include "sim_stream.h"

static void on_credit(void *arg);
static void flush(struct sim_conn *conn, unsigned p);

/* ---- the reader's side of pipe p ---- */

/* The writer may send n bytes more. If it does not wait for them, nobody can
 * tell when it heard: an event is saved. */
static void give_credit(struct sim_conn *conn, unsigned p, size_t n)
{
    struct sim_pipe *pipe = &conn->pipe[p];
    struct sim_step *step;

    if (conn->end[p] == NULL || base_buf_len(&pipe->out) == 0) {
        pipe->on_way -= n;
        return;
    }
    step = sim_step_new(conn, p, on_credit, NULL, 0);
    step->credit = n;
    step->since_ns = conn->sim->now_ns;
    step->sent = false;
    sim_event_start(&step->event, conn->sim->now_ns);
}

/* Leaves the reader when the link back is up, and then reaches the writer. */
static void on_credit(void *arg)
{
    struct sim_step *step = arg;
    struct sim_conn *conn = step->conn;
    uint64_t now_ns = conn->sim->now_ns;
    struct base_sim_link link;

    if (!step->sent) {
        link = sim_conn_ask(conn, 1 - step->p);
        if (link.up || now_ns - step->since_ns < SIM_STALL_NS_MAX) {
            step->sent = link.up;
            sim_event_start(&step->event,
                            now_ns + (link.up
                                          ? sim_link_delay_ns(conn->sim, &link)
                                          : SIM_RETRY_NS));
            return;
        }
        sim_conn_send_reset(conn, step->p);
        sim_conn_reset_end(conn, step->p);
    } else {
        conn->pipe[step->p].on_way -= step->credit;
        flush(conn, step->p);
    }
    sim_step_drop(&step->event);
}

static size_t room(const struct sim_stream *end)
{
    size_t len = base_stream_len(&end->base);

    return len < end->base.in_limit_bytes ? end->base.in_limit_bytes - len : 0;
}

/* Moves what fits into the reader's input and tells of it. */
static void fill(struct sim_conn *conn, unsigned p)
{
    struct sim_pipe *pipe = &conn->pipe[p];
    struct sim_stream *end = conn->end[1 - p];
    size_t n;

    if (end == NULL || end->reset)
        return;
    n = base_buf_len(&pipe->arrived);
    if (n > room(end))
        n = room(end);
    if (n > 0) {
        base_buf_append(&end->base.in, base_buf_data(&pipe->arrived), n);
        base_buf_consume(&pipe->arrived, n);
        give_credit(conn, p, n);
        if (!base_stream_tell_readable(&end->base) || conn->end[1 - p] != end)
            return;
    }
    if (pipe->fin_arrived && base_buf_len(&pipe->arrived) == 0)
        base_stream_tell_closed(&end->base, 0);
}

static void on_fill(void *arg)
{
    struct sim_step *step = arg;

    step->conn->pipe[step->p].fill_waits = false;
    fill(step->conn, step->p);
    sim_step_drop(&step->event);
}

void sim_pipe_fill_later(struct sim_conn *conn, unsigned p)
{
    struct sim_pipe *pipe = &conn->pipe[p];

    if (pipe->fill_waits || base_buf_len(&pipe->arrived) == 0)
        return;
    pipe->fill_waits = true;
    sim_event_start(&sim_step_new(conn, p, on_fill, NULL, 0)->event,
                    conn->sim->now_ns);
}

static void deliver(struct sim_conn *conn, unsigned p, const uint8_t *data,
                    size_t len)
{
    struct sim_pipe *pipe = &conn->pipe[p];
    struct sim_stream *end = conn->end[1 - p];
    size_t direct = 0;

    if (end == NULL) {
        sim_conn_send_reset(conn, 1 - p); /* nobody reads here any more */
        return;
    }
    if (end->reset)
        return;
    sim_conn_trace(conn, p, "stream", len);
    if (base_buf_len(&pipe->arrived) == 0)
        direct = len < room(end) ? len : room(end);
    base_buf_append(&pipe->arrived, data + direct, len - direct);
    if (direct == 0)
        return;
    base_buf_append(&end->base.in, data, direct);
    give_credit(conn, p, direct);
    base_stream_tell_readable(&end->base);
}

static void on_segment(void *arg)
{
    struct sim_step *step = arg;

    deliver(step->conn, step->p, step->data, step->len);
    sim_step_drop(&step->event);
}

static void on_fin(void *arg)
{
    struct sim_step *step = arg;

    step->conn->pipe[step->p].fin_arrived = true;
    if (step->conn->end[1 - step->p] != NULL)
        sim_conn_trace(step->conn, step->p, "stream-end", 0);
    fill(step->conn, step->p);
    sim_step_drop(&step->event);
}

/* ---- the writer's side of pipe p ---- */

static void on_flush(void *arg)
{
    struct sim_step *step = arg;

    step->conn->pipe[step->p].flush_waits = false;
    flush(step->conn, step->p);
    sim_step_drop(&step->event);
}

void sim_pipe_flush_later(struct sim_conn *conn, unsigned p, uint64_t delay_ns)
{
    if (conn->pipe[p].flush_waits)
        return;
    conn->pipe[p].flush_waits = true;
    sim_event_start(&sim_step_new(conn, p, on_flush, NULL, 0)->event,
                    conn->sim->now_ns + delay_ns);
}

static void send(struct sim_conn *conn, unsigned p,
                 const struct base_sim_link *link, void (*fire)(void *arg),
                 const void *data, size_t len)
{
    uint64_t delay_ns = sim_link_delay_ns(conn->sim, link);

    sim_event_start(&sim_step_new(conn, p, fire, data, len)->event,
                    sim_conn_arrival(conn, p, delay_ns));
}

static void send_data(struct sim_conn *conn, unsigned p,
                      const struct base_sim_link *link)
{
    struct sim_pipe *pipe = &conn->pipe[p];

    while (base_buf_len(&pipe->out) > 0 && pipe->on_way < SIM_WINDOW_BYTES) {
        size_t n = base_buf_len(&pipe->out);

        if (n > SIM_WINDOW_BYTES - pipe->on_way)
            n = SIM_WINDOW_BYTES - pipe->on_way;
        if (n > SIM_SEGMENT_BYTES_MAX)
            n = SIM_SEGMENT_BYTES_MAX;
        send(conn, p, link, on_segment, base_buf_data(&pipe->out), n);
        base_buf_consume(&pipe->out, n);
        pipe->on_way += n;
        conn->sim->stats.stream_writes++;
        conn->sim->stats.stream_bytes += n;
    }
}

/* Watches the clock while data or its acknowledgement cannot pass. False if
 * patience is at an end. */
static bool stall(struct sim_conn *conn, unsigned p)
{
    struct sim_pipe *pipe = &conn->pipe[p];

    if (!pipe->stalled) {
        pipe->stalled = true;
        pipe->stalled_ns = conn->sim->now_ns;
    }
    if (conn->sim->now_ns - pipe->stalled_ns >= SIM_STALL_NS_MAX) {
        sim_conn_send_reset(conn, p);
        pipe->dead = true;
        sim_conn_reset_end(conn, p);
        return false;
    }
    sim_pipe_flush_later(conn, p, SIM_RETRY_NS);
    return true;
}

/* Sends what link and window allow. */
static void flush(struct sim_conn *conn, unsigned p)
{
    struct sim_pipe *pipe = &conn->pipe[p];
    struct base_sim_link link;
    bool waited = base_buf_len(&pipe->out) > 0;

    if (pipe->dead)
        return;
    link = sim_conn_ask(conn, p);
    if (link.up && sim_conn_ask(conn, 1 - p).up)
        pipe->stalled = false;
    else if (!stall(conn, p))
        return;
    if (!link.up)
        return;
    if (!pipe->offered) {
        pipe->offered = true;
        send(conn, p, &link, sim_conn_on_offer, NULL, 0);
    }
    send_data(conn, p, &link);
    if (base_buf_len(&pipe->out) > 0)
        return;
    if (pipe->fin_wanted && !pipe->fin_sent) {
        pipe->fin_sent = true;
        send(conn, p, &link, on_fin, NULL, 0);
    }
    if (waited && conn->end[p] != NULL)
        base_stream_tell_drained(&conn->end[p]->base);
}
