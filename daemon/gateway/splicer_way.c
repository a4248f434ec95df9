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
#include "gateway/splicer_priv.h"

#include <errno.h>
#include <fcntl.h>
#include <sys/socket.h>
#include <unistd.h>

#define ROUNDS_PER_TURN 4 /* then others get theirs */

void splicer_way_close(struct way *way)
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
    splicer_way_close(other_way(way));
}

/* What the reader says itself is still passed on, as far as it came. */
static void on_write_failed(struct way *way)
{
    way->splice->broken = true;
    splicer_way_close(way);
}

/* True if it moved something. */
static bool splice_in(struct way *way)
{
    ssize_t got = splice(way->from, NULL, way->pipe.in, NULL, PIPE_POOL_BYTES,
                         SPLICE_F_MOVE | SPLICE_F_NONBLOCK);

    if (got > 0) {
        way->held = (size_t)got;
        way->bulk = way->held >= SPLICER_SCRATCH_BYTES;
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
    if (left > 0 && write(way->pipe.in, (const uint8_t *)data + (len - left),
                          left) != (ssize_t)left) {
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
    ssize_t got = recv(way->from, scratch, SPLICER_SCRATCH_BYTES, 0);

    if (got <= 0) {
        pipe_pool_give(&way->splice->splicer->pipes, way->pipe, 0);
        if (got == 0)
            end_way(way);
        else if (!is_later())
            on_read_failed(way);
        return false;
    }
    way->bulk = got == (ssize_t)SPLICER_SCRATCH_BYTES;
    send_or_hold(way, scratch, (size_t)got);
    return way->bulk && way->held == 0;
}

/* True if it moved all that it saw; *blocked: the writer cannot take more. */
static bool copy(struct way *way, bool *blocked)
{
    uint8_t *scratch = way->splice->splicer->scratch;
    ssize_t seen = recv(way->from, scratch, SPLICER_SCRATCH_BYTES, MSG_PEEK);
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
void splicer_way_wait(struct way *way, bool readable, bool writable)
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
bool splicer_way_send_early(struct way *way)
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

void splicer_way_move(struct way *way)
{
    bool blocked = false, waits;
    int round;

    for (round = 0; round < ROUNDS_PER_TURN && !way->over; round++) {
        if (base_buf_len(&way->early) > 0) {
            if (!splicer_way_send_early(way))
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
    splicer_way_wait(way, !way->over && !blocked, !way->over && blocked);
}
