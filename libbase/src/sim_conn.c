/*
 * A simulated connection: its life, its events, resets, and how it begins. The
 * dialling end exists first; the other is offered to the listener as the first
 * thing on the wire, so that whatever happens to data happens to the beginning
 * too. Bytes are sim_pipe.c's matter.
 */
#include <string.h>

#include "base/alloc.h"
#include "base/error.h"
#include "sim_stream.h"

/* ---- connections and their events ---- */

void sim_conn_release(struct sim_conn *conn)
{
    if (--conn->refs > 0)
        return;
    base_buf_close(&conn->pipe[0].out);
    base_buf_close(&conn->pipe[0].arrived);
    base_buf_close(&conn->pipe[1].out);
    base_buf_close(&conn->pipe[1].arrived);
    base_free(conn);
}

void sim_step_drop(struct sim_event *event)
{
    struct sim_conn *conn =
        BASE_CONTAINER_OF(event, struct sim_step, event)->conn;

    sim_event_free(event);
    sim_conn_release(conn);
}

struct sim_step *sim_step_new(struct sim_conn *conn, unsigned p,
                              void (*fire)(void *arg), const void *data,
                              size_t len)
{
    struct sim_step *step =
        sim_event_new(conn->sim, sizeof(*step) + len, fire, sim_step_drop);

    conn->refs++;
    step->conn = conn;
    step->p = p;
    step->len = len;
    if (len > 0)
        memcpy(step->data, data, len);
    return step;
}

struct base_sim_link sim_conn_ask(struct sim_conn *conn, unsigned p)
{
    return sim_link_ask(conn->sim, conn->host[p], conn->host[1 - p]);
}

/* A time for something to arrive at the far end of pipe p, after all that was
 * sent before. */
uint64_t sim_conn_arrival(struct sim_conn *conn, unsigned p, uint64_t delay_ns)
{
    struct sim_pipe *pipe = &conn->pipe[p];
    uint64_t due_ns = conn->sim->now_ns + delay_ns;

    if (due_ns < pipe->due_ns)
        due_ns = pipe->due_ns;
    pipe->due_ns = due_ns;
    return due_ns;
}

static const char *label(const struct sim_conn *conn, unsigned side)
{
    const struct sim_stream *end = conn->end[side];

    if (end == NULL || end->base.env == NULL)
        return conn->host[side]->name;
    return BASE_CONTAINER_OF(end->base.env, struct sim_env, env)->label;
}

/* A line at the far end of pipe p. */
void sim_conn_trace(struct sim_conn *conn, unsigned p, const char *kind,
                    size_t bytes)
{
    sim_log_traffic(conn->sim, label(conn, 1 - p), kind, &conn->addr[p],
                    &conn->addr[1 - p], bytes);
}

/* ---- resets ---- */

/* This end hears of a reset now. It may be closed inside. */
void sim_conn_reset_end(struct sim_conn *conn, unsigned side)
{
    struct sim_stream *end = conn->end[side];

    base_buf_close(&conn->pipe[side].out);
    base_buf_close(&conn->pipe[1 - side].arrived);
    if (end == NULL || end->reset)
        return;
    sim_conn_trace(conn, 1 - side, "reset", 0);
    end->reset = true;
    base_stream_tell_closed(&end->base, BASE_ERESET);
}

static void on_reset(void *arg)
{
    struct sim_step *step = arg;

    sim_conn_reset_end(step->conn, 1 - step->p);
    sim_step_drop(&step->event);
}

/* The end at the far side of pipe p will hear of a reset, once. Where the link
 * is down it finds out by itself, when it has heard nothing for long. */
void sim_conn_send_reset(struct sim_conn *conn, unsigned p)
{
    struct base_sim_link link;
    uint64_t delay_ns;

    if (conn->pipe[p].reset_sent)
        return;
    conn->pipe[p].reset_sent = true;
    link = sim_conn_ask(conn, p);
    delay_ns = link.up ? sim_link_delay_ns(conn->sim, &link) : SIM_STALL_NS_MAX;
    sim_event_start(&sim_step_new(conn, p, on_reset, NULL, 0)->event,
                    sim_conn_arrival(conn, p, delay_ns));
}

/* ---- the beginning ---- */

void sim_conn_on_offer(void *arg)
{
    struct sim_step *step = arg;
    struct sim_conn *conn = step->conn;
    struct base_listener *listener = NULL;
    struct sim_stream *stream;

    if (conn->host[1]->boots == conn->peer_boots)
        listener = sim_listener_find(conn->host[1], &conn->addr[1]);
    if (listener == NULL) {
        sim_conn_send_reset(conn, 1);
    } else {
        stream = sim_stream_new(conn, 1, sim_listener_env(listener));
        conn->sim->stats.connections++;
        sim_conn_trace(conn, 0, "accept", 0);
        sim_listener_accept(listener, &stream->base);
    }
    sim_step_drop(&step->event);
}

struct base_stream *sim_stream_connect(struct sim_env *env,
                                       const struct base_addr *local,
                                       struct base_sim_host *peer_host,
                                       uint64_t peer_boots,
                                       const struct base_addr *peer)
{
    struct sim_conn *conn;
    struct sim_stream *stream;

    BASE_NEW(conn);
    conn->sim = env->sim;
    conn->host[0] = env->host;
    conn->host[1] = peer_host;
    conn->addr[0] = *local;
    conn->addr[1] = *peer;
    conn->peer_boots = peer_boots;
    conn->pipe[1].offered = true;
    stream = sim_stream_new(conn, 0, env);
    sim_pipe_flush_later(conn, 0, 0);
    return &stream->base;
}
