/*
 * A refused handshake ends with an alert, and closing a socket at once may take
 * the alert with it: the kernel answers unread input with a reset. So such a
 * stream is kept for up to a second, its input thrown away, until the peer has
 * closed. At most LINGERS_MAX of them: under attack courtesy ends first.
 */
#include "linger.h"

#include "base/alloc.h"

#define LINGERS_MAX 64u
#define LINGER_MS 1000u
#define LINGER_BYTES_MAX (64u * 1024u)

struct linger {
    LIST_ENTRY(linger) link;
    struct lingers *lingers;
    struct base_stream *stream;
    struct base_timer timer;
    size_t thrown_bytes;
};

static void linger_free(struct linger *one)
{
    LIST_REMOVE(one, link);
    one->lingers->count--;
    base_timer_stop(&one->timer);
    base_stream_close(one->stream);
    base_free(one);
}

static void on_time(void *arg)
{
    linger_free(arg);
}

static void on_readable(void *arg)
{
    struct linger *one = arg;
    size_t len = base_stream_len(one->stream);

    one->thrown_bytes += len;
    if (one->thrown_bytes > LINGER_BYTES_MAX) {
        linger_free(one);
        return;
    }
    base_stream_consume(one->stream, len);
}

static void on_closed(void *arg, int err)
{
    struct linger *one = arg;

    /* The peer's orderly end may come before our alert has left. */
    if (err != 0 || base_stream_pending(one->stream) == 0)
        linger_free(one);
}

static void on_drained(void *arg)
{
    struct linger *one = arg;

    if (one->stream->closed_in)
        linger_free(one);
}

static const struct base_stream_events linger_events = {
    .on_readable = on_readable,
    .on_drained = on_drained,
    .on_closed = on_closed,
};

void linger(struct lingers *lingers, struct base_stream *stream)
{
    struct linger *one;

    if (lingers->count >= LINGERS_MAX) {
        base_stream_close(stream);
        return;
    }
    BASE_NEW(one);
    one->lingers = lingers;
    one->stream = stream;
    base_timer_init(&one->timer, lingers->env, "rpc-linger", on_time, one);
    base_timer_start_ms(&one->timer, LINGER_MS);
    LIST_INSERT_HEAD(&lingers->list, one, link);
    lingers->count++;
    base_stream_shutdown(stream);
    base_stream_set_events(stream, &linger_events, one);
}

void lingers_end(struct lingers *lingers)
{
    while (!LIST_EMPTY(&lingers->list))
        linger_free(LIST_FIRST(&lingers->list));
}
