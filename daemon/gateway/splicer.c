/*
 * Each direction is a struct way. It reads when nothing is held, and writes
 * what is held before it reads again: so at most one pipe's content waits, and
 * a slow reader slows its writer down.
 *
 * A little goes faster by a copy than through a pipe (measured, see
 * docs/performance.md), so a direction begins with that; when it finds more
 * than the scratch takes, it splices, until little comes again. What was copied
 * and cannot leave waits in the pipe. Without a pipe bytes are peeked at,
 * written as far as that goes, and only then taken from the socket: nothing is
 * held outside the kernel but what of the first bytes did not leave at once.
 */
#include "gateway/splicer.h"

#include <errno.h>
#include <event2/event.h>
#include <event2/event_struct.h>
#include <fcntl.h>
#include <string.h>
#include <sys/socket.h>
#include <unistd.h>

#include "base/alloc.h"
#include "base/buf.h"
#include "gateway/idle.h"
#include "gateway/pipe_pool.h"

#define SCRATCH_BYTES PIPE_POOL_LITTLE_BYTES
#define ROUNDS_PER_TURN 4 /* then others get theirs */

struct splicer {
    struct base_loop *loop;
    struct pipe_pool pipes;
    uint8_t scratch[SCRATCH_BYTES];
};

struct way {
    struct splice *splice;
    int from, to;
    struct event readable, writable; /* of from, of to; at most one is added */
    struct base_buf early;           /* goes before all else */
    struct pipe_ends pipe;           /* while held > 0 */
    size_t held;
    bool bulk;  /* the last read was large */
    bool ended; /* no more input comes */
    bool over;  /* and all of it, and its end, was passed on; or it broke */
    struct base_counter *counters[2];
    uint64_t bytes;
};

struct splice {
    struct splicer *splicer;
    struct way ways[2]; /* from the client, from the server */
    struct idle idle;
    bool broken;
    bool b_gave_up;
    void (*done)(void *arg, const struct relay_end *end);
    void *arg;
};

/* ---- the shared part -------------------------------------------------------
 */

struct splicer *splicer_new(struct base_loop *loop)
{
    struct splicer *splicer;

    BASE_NEW(splicer);
    splicer->loop = loop;
    return splicer;
}

void splicer_free(struct splicer *splicer)
{
    if (splicer == NULL)
        return;
    pipe_pool_close(&splicer->pipes);
    base_free(splicer);
}

/* ---- ends -----------------------------------------------------------------
 */

static void close_way(struct way *way)
{
    event_del(&way->readable);
    event_del(&way->writable);
    if (way->held > 0)
        pipe_pool_give(&way->splice->splicer->pipes, way->pipe, way->held);
    base_buf_close(&way->early);
    way->held = 0;
    way->ended = true;
    way->over = true;
}

void splice_free(struct splice *splice)
{
    int i;

    idle_stop(&splice->idle);
    for (i = 0; i < 2; i++)
        close_way(&splice->ways[i]);
    close(splice->ways[0].from);
    close(splice->ways[1].from);
    base_free(splice);
}

struct relay_end splice_so_far(const struct splice *splice)
{
    return (struct relay_end){.a_bytes = splice->ways[0].bytes,
                              .b_bytes = splice->ways[1].bytes,
                              .b_gave_up = splice->b_gave_up};
}

static void finish(struct splice *splice, enum relay_end_reason reason)
{
    void (*done)(void *arg, const struct relay_end *end) = splice->done;
    struct relay_end end = splice_so_far(splice);
    void *arg = splice->arg;

    end.reason = reason;
    splice_free(splice);
    done(arg, &end);
}

static void on_idle(void *arg)
{
    struct splice *splice = arg;

    if (idle_is_over(&splice->idle))
        finish(splice, idle_is_unanswered(&splice->idle) ? RELAY_SILENT
                                                   : RELAY_IDLE);
}

/* ---- moving ---------------------------------------------------------------
 */

static bool is_later(void)
{
    return errno == EAGAIN || errno == EINTR;
}

static struct way *other_way(struct way *way)
{
    return &way->splice->ways[way == &way->splice->ways[0]];
}

static void note_bytes(struct way *way, size_t len)
{
    way->bytes += len;
    base_counter_add(way->counters[0], len);
    base_counter_add(way->counters[1], len);
    if (way == &way->splice->ways[1])
        way->splice->idle.answered = true;
}

/* No more input comes. A server that hangs up on a hello without a word is no
 * server. */
static void end_way(struct way *way)
{
    struct splice *splice = way->splice;

    if (way == &splice->ways[1] && way->bytes == 0 && way->held == 0 &&
        !way->ended && !splice->ways[0].ended)
        splice->b_gave_up = true;
    way->ended = true;
}

/* The socket that we read from is broken: nothing more gets into it either. */
static void on_read_failed(struct way *way)
{
    way->splice->broken = true;
    end_way(way);
    close_way(other_way(way));
}

/* What the reader says itself is still passed on, as far as it came. */
static void on_write_failed(struct way *way)
{
    way->splice->broken = true;
    close_way(way);
}

/* True if it moved something. */
static bool splice_in(struct way *way)
{
    ssize_t got = splice(way->from, NULL, way->pipe.in, NULL, PIPE_POOL_BYTES,
                         SPLICE_F_MOVE | SPLICE_F_NONBLOCK);

    if (got > 0) {
        way->held = (size_t)got;
        way->bulk = way->held >= SCRATCH_BYTES;
        return true;
    }
    pipe_pool_give(&way->splice->splicer->pipes, way->pipe, 0);
    if (got == 0)
        end_way(way);
    else if (!is_later())
        on_read_failed(way);
    return false;
}

/* True if all that was held has left. */
static bool splice_out(struct way *way)
{
    while (way->held > 0) {
        ssize_t sent = splice(way->pipe.out, NULL, way->to, NULL, way->held,
                              SPLICE_F_MOVE | SPLICE_F_NONBLOCK);

        if (sent <= 0) {
            if (sent == 0 || !is_later())
                on_write_failed(way);
            return false;
        }
        way->held -= (size_t)sent;
        note_bytes(way, (size_t)sent);
    }
    pipe_pool_give(&way->splice->splicer->pipes, way->pipe, 0);
    return true;
}

/* Passes bytes on; what does not leave now goes into the empty pipe. */
static void send_or_hold(struct way *way, const void *data, size_t len)
{
    ssize_t sent = send(way->to, data, len, MSG_NOSIGNAL);
    size_t left;

    if (sent < 0 && !is_later()) {
        pipe_pool_give(&way->splice->splicer->pipes, way->pipe, 0);
        on_write_failed(way);
        return;
    }
    left = sent > 0 ? len - (size_t)sent : len;
    note_bytes(way, len - left);
    if (left > 0 &&
        write(way->pipe.in, (const uint8_t *)data + (len - left), left) !=
            (ssize_t)left) {
        way->held = 1; /* the pipe is spoilt: an end is better than a gap */
        on_write_failed(way);
        return;
    }
    way->held = left;
    if (left == 0)
        pipe_pool_give(&way->splice->splicer->pipes, way->pipe, 0);
}

/* A little, with a pipe at hand. True if there may be more. */
static bool pass_little(struct way *way)
{
    uint8_t *scratch = way->splice->splicer->scratch;
    ssize_t got = recv(way->from, scratch, SCRATCH_BYTES, 0);

    if (got <= 0) {
        pipe_pool_give(&way->splice->splicer->pipes, way->pipe, 0);
        if (got == 0)
            end_way(way);
        else if (!is_later())
            on_read_failed(way);
        return false;
    }
    way->bulk = got == (ssize_t)SCRATCH_BYTES;
    send_or_hold(way, scratch, (size_t)got);
    return way->bulk && way->held == 0;
}

/* True if it moved all that it saw; *blocked: the writer cannot take more. */
static bool copy(struct way *way, bool *blocked)
{
    uint8_t *scratch = way->splice->splicer->scratch;
    ssize_t seen = recv(way->from, scratch, SCRATCH_BYTES, MSG_PEEK);
    ssize_t sent;

    if (seen <= 0) {
        if (seen == 0)
            end_way(way);
        else if (!is_later())
            on_read_failed(way);
        return false;
    }
    sent = send(way->to, scratch, (size_t)seen, MSG_NOSIGNAL);
    if (sent < 0) {
        *blocked = is_later();
        if (!*blocked)
            on_write_failed(way);
        return false;
    }
    recv(way->from, NULL, (size_t)sent, MSG_TRUNC); /* it is there: seen */
    note_bytes(way, (size_t)sent);
    *blocked = sent < seen;
    return sent == seen;
}

/* Which of the two events to wait for. */
static void wait_for(struct way *way, bool readable, bool writable)
{
    if (readable)
        event_add(&way->readable, NULL);
    else
        event_del(&way->readable);
    if (writable)
        event_add(&way->writable, NULL);
    else
        event_del(&way->writable);
}

/* After the second end both are closed, which says it too. */
static void pass_end_on(struct way *way)
{
    struct splice *splice = way->splice;

    way->over = true;
    if (way == &splice->ways[1])
        splice->idle.answered = true;
    if (other_way(way)->over)
        return;
    shutdown(way->to, SHUT_WR);
    idle_set_half(&splice->idle);
}

/* True once nothing of it is left. */
static bool send_early(struct way *way)
{
    size_t len = base_buf_len(&way->early);
    ssize_t sent = send(way->to, base_buf_data(&way->early), len, MSG_NOSIGNAL);

    if (sent < 0) {
        if (!is_later())
            on_write_failed(way);
        return false;
    }
    base_buf_consume(&way->early, (size_t)sent);
    note_bytes(way, (size_t)sent);
    if ((size_t)sent < len)
        return false;
    base_buf_close(&way->early);
    return true;
}

static void move(struct way *way)
{
    bool blocked = false, waits;
    int round;

    for (round = 0; round < ROUNDS_PER_TURN && !way->over; round++) {
        if (base_buf_len(&way->early) > 0) {
            if (!send_early(way))
                break;
        } else if (way->held > 0) {
            if (!splice_out(way))
                break;
        } else if (way->ended) {
            break;
        } else if (pipe_pool_take(&way->splice->splicer->pipes, &way->pipe)) {
            if (way->bulk ? !splice_in(way) : !pass_little(way))
                break;
        } else if (!copy(way, &blocked)) {
            break;
        }
    }
    idle_note(&way->splice->idle);
    waits = way->held > 0 || base_buf_len(&way->early) > 0;
    if (way->ended && !waits && !way->over)
        pass_end_on(way);
    blocked = blocked || waits;
    wait_for(way, !way->over && !blocked, !way->over && blocked);
}

static void on_event(evutil_socket_t fd, short what, void *arg)
{
    struct way *way = arg;
    struct splice *splice = way->splice;

    (void)fd;
    (void)what;
    move(way);
    if (splice->ways[0].over && splice->ways[1].over)
        finish(splice, splice->broken ? RELAY_BROKEN : RELAY_FINISHED);
}

/* ---- the beginning --------------------------------------------------------
 */

static void open_way(struct splice *splice, int i, int from, int to,
                     struct base_counter *const counters[2])
{
    struct event_base *base = base_loop_event_base(splice->splicer->loop);
    struct way *way = &splice->ways[i];

    *way = (struct way){.splice = splice,
                        .from = from,
                        .to = to,
                        .counters = {counters[0], counters[1]}};
    event_assign(&way->readable, base, from, EV_READ | EV_PERSIST, on_event,
                 way);
    event_assign(&way->writable, base, to, EV_WRITE | EV_PERSIST, on_event,
                 way);
}

static bool is_plain(const struct base_stream *stream)
{
    return base_stream_has_fd(stream) && !stream->closed_in &&
           base_stream_pending(stream) == 0;
}

/* The client's first bytes, and what is to go before them, leave at once. */
static void send_first(struct way *way, const struct relay_config *config,
                       const struct base_buf *hello)
{
    base_buf_append(&way->early, config->prefix, config->prefix_len);
    base_buf_append(&way->early, base_buf_data(hello), base_buf_len(hello));
    if (base_buf_len(&way->early) > 0)
        send_early(way);
    wait_for(way, base_buf_len(&way->early) == 0 && !way->over,
             base_buf_len(&way->early) > 0);
}

struct splice *splice_new(struct splicer *splicer,
                          const struct relay_config *config)
{
    struct base_buf hello = config->a->in;
    struct splice *splice;
    int client, server;

    if (!is_plain(config->a) || !is_plain(config->b) ||
        base_stream_len(config->b) > 0)
        return NULL;
    config->a->in = (struct base_buf)BASE_BUF_INIT;
    client = base_stream_release_fd(config->a);
    server = base_stream_release_fd(config->b);
    BASE_NEW(splice);
    splice->splicer = splicer;
    splice->idle = (struct idle){.idle_ms = config->idle_ms,
                                 .half_idle_ms = config->half_idle_ms,
                                 .answer_ms = config->answer_ms};
    splice->done = config->done;
    splice->arg = config->arg;
    idle_start(&splice->idle, config->env, on_idle, splice);
    open_way(splice, 0, client, server, config->a_bytes);
    open_way(splice, 1, server, client, config->b_bytes);
    send_first(&splice->ways[0], config, &hello);
    base_buf_close(&hello);
    /* It hears of a server that has gone again, too. */
    wait_for(&splice->ways[1], true, false);
    return splice;
}
