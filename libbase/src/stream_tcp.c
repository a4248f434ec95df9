/*
 * TCP as a stream. Reads go straight into the input buffer (what does not fit
 * its spare room takes a detour over the loop's scratch, so that idle streams
 * hold no memory) and stop at the input limit. Writes gather until the end of
 * the loop's turn and leave with one sendmsg(2).
 *
 * Every function that may tell the user ends right after a teller says false:
 * the stream is gone then.
 */
#include "stream_tcp.h"

#include <assert.h>
#include <errno.h>
#include <sys/socket.h>
#include <sys/uio.h>
#include <unistd.h>

#include "base/alloc.h"
#include "base/error.h"
#include "out_queue.h"

#define READ_BYTES_PER_TURN (256u * 1024u) /* then others get theirs */
#define SEND_CALLS_PER_TURN 4
struct stream_tcp {
    struct base_stream base; /* first: the public face */
    struct base_loop *loop;  /* NULL while detached */
    int fd;
    struct event read_event;
    struct event write_event;
    bool reading;   /* read_event is added */
    bool out_ended; /* shutdown was asked for, or output failed */
    bool out_shut;  /* SHUT_WR has been done or makes no sense any more */
    bool in_flush;  /* in the loop's list */
    bool flushed;   /* emptied early; the turn's end has still to tell */
    struct out_queue out;
    TAILQ_ENTRY(stream_tcp) flush_link;
};

static struct stream_tcp *tcp_of(struct base_stream *stream)
{
    return BASE_CONTAINER_OF(stream, struct stream_tcp, base);
}

static const struct stream_tcp *tcp_of_const(const struct base_stream *stream)
{
    return BASE_CONTAINER_OF(stream, const struct stream_tcp, base);
}

/* ---- reading --------------------------------------------------------------
 */

static size_t in_room(const struct stream_tcp *tcp)
{
    size_t held = base_stream_len(&tcp->base);

    return held < tcp->base.in_limit_bytes ? tcp->base.in_limit_bytes - held
                                           : 0;
}

static void update_reading(struct stream_tcp *tcp)
{
    bool want = tcp->loop != NULL && !tcp->base.closed_in && in_room(tcp) > 0;

    if (want == tcp->reading)
        return;
    tcp->reading = want;
    if (want)
        event_add(&tcp->read_event, NULL);
    else
        event_del(&tcp->read_event);
}

/* One read into the buffer's spare room and, past it, the scratch. Returns the
 * bytes read, 0 at the end, or an error; BASE_EFULL: nothing there now. */
static int64_t read_some(struct stream_tcp *tcp, size_t max)
{
    struct base_buf *in = &tcp->base.in;
    size_t spare = in->bytes == NULL ? 0 : in->cap - in->end;
    struct iovec parts[2];
    ssize_t got;

    if (spare > max)
        spare = max;
    parts[0].iov_base = spare > 0 ? in->bytes + in->end : tcp->loop->scratch;
    parts[0].iov_len = spare;
    parts[1].iov_base = tcp->loop->scratch;
    parts[1].iov_len =
        max - spare < LOOP_SCRATCH_BYTES ? max - spare : LOOP_SCRATCH_BYTES;
    do {
        got = readv(tcp->fd, parts, 2);
    } while (got < 0 && errno == EINTR);
    if (got < 0)
        return errno == EAGAIN ? BASE_EFULL : base_error_from_errno(errno);
    if ((size_t)got <= spare) {
        base_buf_commit(in, (size_t)got);
        return got;
    }
    base_buf_commit(in, spare);
    base_buf_append(in, tcp->loop->scratch, (size_t)got - spare);
    return got;
}

static void fail_output(struct stream_tcp *tcp)
{
    tcp->out_ended = true;
    tcp->out_shut = true;
    out_queue_drop(&tcp->out);
    event_del(&tcp->write_event);
}

/* Reads what there is, within the limits; then tells the user, data before the
 * end. fallback is the error to tell if the socket itself has none. */
static void read_and_tell(struct stream_tcp *tcp, int fallback)
{
    size_t total = 0;
    int64_t got = BASE_EFULL;
    int end = fallback;
    bool ended = fallback != 0;

    while (in_room(tcp) > 0 && total < READ_BYTES_PER_TURN) {
        size_t max = in_room(tcp);

        got = read_some(tcp, max);
        if (got <= 0)
            break;
        total += (size_t)got;
        /* A short read emptied the socket: no need to ask again. */
        if ((size_t)got < max && got < (int64_t)LOOP_SCRATCH_BYTES)
            break;
    }
    if (got == 0 || (got < 0 && got != BASE_EFULL)) {
        ended = true;
        end = got == 0 && fallback == 0 ? 0 : got < 0 ? (int)got : fallback;
    }
    if (ended && end < 0)
        fail_output(tcp);
    if (total > 0 && !base_stream_tell_readable(&tcp->base))
        return;
    if (ended && !base_stream_tell_closed(&tcp->base, end))
        return;
    update_reading(tcp);
}

static void on_read(evutil_socket_t fd, short what, void *arg)
{
    (void)fd;
    (void)what;
    ((struct stream_tcp *)arg)->loop->news++;
    read_and_tell(arg, 0);
}

/* ---- writing --------------------------------------------------------------
 */

/* Writing happens at the end of this turn; but what is written from within a
 * flush leaves in the next, or a fast writer would keep the loop from its
 * sockets. */
static void request_flush(struct stream_tcp *tcp)
{
    struct base_loop *loop = tcp->loop;

    if (tcp->in_flush || loop == NULL ||
        event_pending(&tcp->write_event, EV_WRITE, NULL))
        return;
    if (TAILQ_EMPTY(&loop->flush) && !loop->flushing)
        event_active(&loop->flush_event, EV_TIMEOUT, 0);
    tcp->in_flush = true;
    TAILQ_INSERT_TAIL(&loop->flush, tcp, flush_link);
    loop->flush_count++;
}

static void leave_flush(struct stream_tcp *tcp)
{
    if (!tcp->in_flush)
        return;
    tcp->in_flush = false;
    TAILQ_REMOVE(&tcp->loop->flush, tcp, flush_link);
    tcp->loop->flush_count--;
}

static void shut_output(struct stream_tcp *tcp)
{
    if (tcp->out_shut)
        return;
    tcp->out_shut = true;
    shutdown(tcp->fd, SHUT_WR);
}

static void on_output_failed(struct stream_tcp *tcp, int err)
{
    bool was_waiting = tcp->out.bytes > 0;

    fail_output(tcp);
    if (!tcp->base.closed_in) {
        /* What the peer sent before it went is still there to be read. */
        read_and_tell(tcp, err);
        return;
    }
    /* The end was told already: who waits for the rest to leave must hear that
     * waiting is over. */
    if (was_waiting)
        base_stream_tell_drained(&tcp->base);
}

static void send_queued(struct stream_tcp *tcp)
{
    int calls = 0;
    int64_t sent = 1;

    if (tcp->out.bytes == 0 && !tcp->flushed)
        return;
    tcp->flushed = false;
    while (sent > 0 && tcp->out.bytes > 0 && calls++ < SEND_CALLS_PER_TURN)
        sent = out_queue_send(&tcp->out, tcp->fd);
    if (sent < 0) {
        on_output_failed(tcp, (int)sent);
        return;
    }
    if (tcp->out.bytes > 0) {
        event_add(&tcp->write_event, NULL);
        return;
    }
    event_del(&tcp->write_event);
    if (tcp->out_ended)
        shut_output(tcp);
    base_stream_tell_drained(&tcp->base);
}

static void on_write(evutil_socket_t fd, short what, void *arg)
{
    (void)fd;
    (void)what;
    send_queued(arg);
}

void stream_tcp_flush_all(struct base_loop *loop)
{
    static const struct timeval zero;
    size_t left = loop->flush_count;
    struct stream_tcp *tcp;

    loop->flushing = true;
    while (left-- > 0 && (tcp = TAILQ_FIRST(&loop->flush)) != NULL) {
        leave_flush(tcp);
        send_queued(tcp);
    }
    loop->flushing = false;
    if (!TAILQ_EMPTY(&loop->flush))
        event_add(&loop->flush_event, &zero);
}

/* ---- the table ------------------------------------------------------------
 */

static int tcp_write(struct base_stream *stream, const void *data, size_t len)
{
    struct stream_tcp *tcp = tcp_of(stream);

    if (tcp->out_ended)
        return BASE_ECLOSED;
    if (len == 0)
        return 0;
    out_queue_append(&tcp->out, data, len);
    request_flush(tcp);
    return 0;
}

/* Errors and the news of being drained are for the end of the turn, which comes
 * to this stream in any case: no callback runs inside this call. */
static void tcp_flush(struct base_stream *stream)
{
    struct stream_tcp *tcp = tcp_of(stream);

    if (!tcp->in_flush || tcp->out.bytes == 0)
        return;
    if (out_queue_send(&tcp->out, tcp->fd) > 0)
        tcp->flushed = tcp->out.bytes == 0;
}

static size_t tcp_pending(const struct base_stream *stream)
{
    return tcp_of_const(stream)->out.bytes;
}

static void tcp_shutdown(struct base_stream *stream)
{
    struct stream_tcp *tcp = tcp_of(stream);

    tcp->out_ended = true;
    if (tcp->out.bytes == 0)
        shut_output(tcp);
}

static void tcp_consumed(struct base_stream *stream)
{
    update_reading(tcp_of(stream));
}

static void tcp_detach(struct base_stream *stream)
{
    struct stream_tcp *tcp = tcp_of(stream);

    if (tcp->loop == NULL)
        return;
    leave_flush(tcp);
    event_del(&tcp->read_event);
    event_del(&tcp->write_event);
    tcp->reading = false;
    tcp->loop = NULL;
}

static void assign_events(struct stream_tcp *tcp, struct base_env *env)
{
    tcp->loop = env->ctx;
    event_assign(&tcp->read_event, tcp->loop->base, tcp->fd,
                 EV_READ | EV_PERSIST, on_read, tcp);
    event_assign(&tcp->write_event, tcp->loop->base, tcp->fd,
                 EV_WRITE | EV_PERSIST, on_write, tcp);
}

static void tcp_attach(struct base_stream *stream, struct base_env *env)
{
    struct stream_tcp *tcp = tcp_of(stream);

    assign_events(tcp, env);
    update_reading(tcp);
    if (tcp->out.bytes > 0)
        request_flush(tcp);
}

static void tcp_close(struct base_stream *stream)
{
    struct stream_tcp *tcp = tcp_of(stream);

    tcp_detach(stream);
    /* A last word, if the kernel takes it: output of this turn has not been
     * offered yet. */
    if (tcp->out.bytes > 0)
        out_queue_send(&tcp->out, tcp->fd);
    out_queue_drop(&tcp->out);
    close(tcp->fd);
    base_stream_fini(stream);
    base_free(tcp);
}

static int tcp_release_fd(struct base_stream *stream)
{
    struct stream_tcp *tcp = tcp_of(stream);
    int fd = tcp->fd;

    assert(tcp->out.bytes == 0);
    tcp_detach(stream);
    base_stream_fini(stream);
    base_free(tcp);
    return fd;
}

static const struct base_stream_ops tcp_ops = {
    .version = 3,
    .write = tcp_write,
    .pending = tcp_pending,
    .shutdown = tcp_shutdown,
    .consumed = tcp_consumed,
    .detach = tcp_detach,
    .attach = tcp_attach,
    .close = tcp_close,
    .release_fd = tcp_release_fd,
    .flush = tcp_flush,
};

struct base_stream *stream_tcp_new(struct base_loop *loop, int fd,
                                   const struct base_addr *local,
                                   const struct base_addr *peer)
{
    struct stream_tcp *tcp;

    BASE_NEW(tcp);
    base_stream_init(&tcp->base, &tcp_ops, &loop->env);
    tcp->fd = fd;
    tcp->base.local = *local;
    tcp->base.peer = *peer;
    assign_events(tcp, &loop->env);
    return &tcp->base;
}

void stream_tcp_give(struct base_stream *stream,
                     void (*give)(void *arg, struct base_stream *stream),
                     void *arg)
{
    bool gone = false;

    stream->gone = &gone;
    give(arg, stream);
    if (gone)
        return;
    stream->gone = NULL;
    update_reading(tcp_of(stream));
}

/* An end or an error is left to the loop, which will meet it again. */
void stream_tcp_read_early(struct base_stream *stream)
{
    struct stream_tcp *tcp = tcp_of(stream);

    read_some(tcp, in_room(tcp));
}
