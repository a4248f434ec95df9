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
 * ever held outside the kernel.
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
    struct pipe_ends pipe;           /* while held > 0 */
    size_t held;
    bool bulk;  /* the last read was large */
    bool ended; /* no more input comes */
    bool over;  /* and all of it, and its end, was passed on; or it broke */
    struct base_counter *bytes;
};

struct splice {
    struct splicer *splicer;
    struct way ways[2];
    struct base_timer idle;
    uint64_t moved_ms;
    uint32_t idle_ms, half_idle_ms;
    bool broken;
    void (*done)(void *arg, enum relay_end_reason reason);
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
    way->held = 0;
    way->ended = true;
    way->over = true;
}

void splice_free(struct splice *splice)
{
    int i;

    base_timer_stop(&splice->idle);
    for (i = 0; i < 2; i++)
        close_way(&splice->ways[i]);
    close(splice->ways[0].from);
    close(splice->ways[1].from);
    base_free(splice);
}

static void finish(struct splice *splice, enum relay_end_reason reason)
{
    void (*done)(void *arg, enum relay_end_reason reason) = splice->done;
    void *arg = splice->arg;

    splice_free(splice);
    done(arg, reason);
}

static uint32_t idle_limit_ms(const struct splice *splice)
{
    return splice->ways[0].ended || splice->ways[1].ended ? splice->half_idle_ms
                                                          : splice->idle_ms;
}

static void on_idle(void *arg)
{
    struct splice *splice = arg;
    uint64_t quiet_ms =
        base_env_now_ms(splice->idle.env) - splice->moved_ms;
    uint32_t limit_ms = idle_limit_ms(splice);

    if (quiet_ms >= limit_ms)
        finish(splice, RELAY_IDLE);
    else
        base_timer_start_ms(&splice->idle, limit_ms - quiet_ms);
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

/* The socket that we read from is broken: nothing more gets into it either. */
static void on_read_failed(struct way *way)
{
    way->splice->broken = true;
    way->ended = true;
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
        way->ended = true;
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
        base_counter_add(way->bytes, (uint64_t)sent);
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
    base_counter_add(way->bytes, len - left);
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
            way->ended = true;
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
            way->ended = true;
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
    base_counter_add(way->bytes, (uint64_t)sent);
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

static void pass_end_on(struct way *way)
{
    struct splice *splice = way->splice;

    way->over = true;
    shutdown(way->to, SHUT_WR);
    if (!splice->ways[0].over || !splice->ways[1].over)
        base_timer_start_ms(&splice->idle, splice->half_idle_ms);
}

static void move(struct way *way)
{
    bool blocked = false;
    int round;

    for (round = 0; round < ROUNDS_PER_TURN && !way->over; round++) {
        if (way->held > 0) {
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
    way->splice->moved_ms = base_env_now_ms(way->splice->idle.env);
    if (way->ended && way->held == 0 && !way->over)
        pass_end_on(way);
    blocked = blocked || way->held > 0;
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
                     struct base_counter *bytes)
{
    struct event_base *base = base_loop_event_base(splice->splicer->loop);
    struct way *way = &splice->ways[i];

    *way = (struct way){
        .splice = splice, .from = from, .to = to, .bytes = bytes};
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

struct splice *splice_new(struct splicer *splicer,
                          const struct relay_config *config)
{
    uint8_t *hello = splicer->scratch;
    size_t hello_bytes = base_stream_len(config->a);
    struct pipe_ends pipe;
    struct splice *splice;
    int client, server;

    if (!is_plain(config->a) || !is_plain(config->b) ||
        base_stream_len(config->b) > 0 || hello_bytes > SCRATCH_BYTES ||
        !pipe_pool_take(&splicer->pipes, &pipe))
        return NULL;
    memcpy(hello, base_stream_data(config->a), hello_bytes);
    client = base_stream_release_fd(config->a);
    server = base_stream_release_fd(config->b);
    BASE_NEW(splice);
    splice->splicer = splicer;
    splice->idle_ms = config->idle_ms;
    splice->half_idle_ms = config->half_idle_ms;
    splice->done = config->done;
    splice->arg = config->arg;
    splice->moved_ms = base_env_now_ms(config->env);
    base_timer_init(&splice->idle, config->env, "gateway-idle", on_idle,
                    splice);
    base_timer_start_ms(&splice->idle, splice->idle_ms);
    open_way(splice, 0, client, server, config->a_bytes);
    open_way(splice, 1, server, client, config->b_bytes);
    splice->ways[0].pipe = pipe;
    send_or_hold(&splice->ways[0], hello, hello_bytes);
    wait_for(&splice->ways[0],
             splice->ways[0].held == 0 && !splice->ways[0].over,
             splice->ways[0].held > 0);
    /* It hears of a server that has gone again, too. */
    wait_for(&splice->ways[1], true, false);
    return splice;
}
