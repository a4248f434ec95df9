/*
 * The ends of simulated connections, as base/stream.h wants them.
 */
#include "sim_stream.h"
#include "base/alloc.h"
#include "base/error.h"

/* ---- the table of operations ---- */

static struct sim_stream *stream_of(struct base_stream *base)
{
    return BASE_CONTAINER_OF(base, struct sim_stream, base);
}

static int op_write(struct base_stream *base, const void *data, size_t len)
{
    struct sim_stream *stream = stream_of(base);
    struct sim_conn *conn = stream->conn;

    if (conn == NULL || stream->reset || conn->pipe[stream->side].fin_wanted)
        return BASE_ECLOSED;
    if (len == 0)
        return 0;
    base_buf_append(&conn->pipe[stream->side].out, data, len);
    sim_pipe_flush_later(conn, stream->side, 0);
    return 0;
}

static size_t op_pending(const struct base_stream *base)
{
    const struct sim_stream *stream =
        (const struct sim_stream *)(const void *)base;

    return stream->conn != NULL
               ? base_buf_len(&stream->conn->pipe[stream->side].out)
               : 0;
}

static void op_shutdown(struct base_stream *base)
{
    struct sim_stream *stream = stream_of(base);

    if (stream->conn == NULL || stream->reset)
        return;
    stream->conn->pipe[stream->side].fin_wanted = true;
    sim_pipe_flush_later(stream->conn, stream->side, 0);
}

static void op_consumed(struct base_stream *base)
{
    struct sim_stream *stream = stream_of(base);

    if (stream->conn != NULL)
        sim_pipe_fill_later(stream->conn, 1 - stream->side);
}

/* The world goes on without a loop: bytes gather until somebody listens. */
static void op_detach(struct base_stream *base)
{
    (void)base;
}

static void op_attach(struct base_stream *base, struct base_env *env)
{
    (void)base;
    (void)env;
}

/* Takes the end off its connection, which may go with it. */
static void leave(struct sim_stream *stream)
{
    struct sim_conn *conn = stream->conn;

    if (conn == NULL)
        return;
    stream->conn = NULL;
    conn->end[stream->side] = NULL;
    base_buf_close(&conn->pipe[stream->side].out);
    base_buf_close(&conn->pipe[1 - stream->side].arrived);
    sim_conn_release(conn);
}

static void stream_free(struct sim_stream *stream)
{
    leave(stream);
    stream->host->sim->stats.streams_open--;
    LIST_REMOVE(stream, link);
    base_stream_fini(&stream->base);
    base_free(stream);
}

static void op_close(struct base_stream *base)
{
    struct sim_stream *stream = stream_of(base);
    struct sim_conn *conn = stream->conn;

    if (conn != NULL && !stream->reset) {
        struct sim_pipe *pipe = &conn->pipe[stream->side];

        /* Unread bytes at a close are a reset, as on Linux. */
        if (base_buf_len(&conn->pipe[1 - stream->side].arrived) > 0) {
            pipe->dead = true;
            sim_conn_send_reset(conn, stream->side);
        } else {
            pipe->fin_wanted = true;
            base_buf_reset(&pipe->out);
            sim_pipe_flush_later(conn, stream->side, 0);
        }
    }
    stream_free(stream);
}

static const struct base_stream_ops stream_ops = {
    .version = 1,
    .write = op_write,
    .pending = op_pending,
    .shutdown = op_shutdown,
    .consumed = op_consumed,
    .detach = op_detach,
    .attach = op_attach,
    .close = op_close,
};

/* ---- life ---- */

struct sim_stream *sim_stream_new(struct sim_conn *conn, unsigned side,
                                  struct sim_env *env)
{
    struct sim_stream *stream;

    BASE_NEW(stream);
    base_stream_init(&stream->base, &stream_ops, &env->env);
    stream->base.local = conn->addr[side];
    stream->base.peer = conn->addr[1 - side];
    stream->conn = conn;
    stream->side = side;
    stream->host = env->host;
    conn->refs++;
    conn->end[side] = stream;
    env->sim->stats.streams_open++;
    LIST_INSERT_HEAD(&env->host->streams, stream, link);
    return stream;
}

void sim_streams_kill(struct base_sim_host *host)
{
    struct sim_stream *stream;

    LIST_FOREACH(stream, &host->streams, link)
    {
        struct sim_conn *conn = stream->conn;

        if (conn == NULL)
            continue;
        conn->pipe[stream->side].dead = true;
        if (!stream->reset)
            sim_conn_send_reset(conn, stream->side);
        leave(stream);
    }
}

void sim_streams_free_all(struct base_sim_host *host)
{
    while (!LIST_EMPTY(&host->streams))
        stream_free(LIST_FIRST(&host->streams));
}
