/*
 * A refused handshake ends with an alert, and closing a socket at once may take
 * the alert with it: the kernel answers unread input with a reset. So such a
 * stream is kept for up to a second, its input thrown away, until the peer has
 * closed. At most TLS_LINGERS_MAX of them: under attack courtesy ends first.
 */
#include "base/alloc.h"
#include "tls_priv.h"

#define LINGER_MS 1000u
#define LINGER_BYTES_MAX (64u * 1024u)

struct tls_linger {
    LIST_ENTRY(tls_linger) link;
    struct rpc_tls *tls;
    struct base_stream *stream;
    struct base_timer timer;
    size_t thrown_bytes;
};

static void linger_free(struct tls_linger *linger)
{
    LIST_REMOVE(linger, link);
    linger->tls->linger_count--;
    base_timer_stop(&linger->timer);
    base_stream_close(linger->stream);
    base_free(linger);
}

static void on_time(void *arg)
{
    linger_free(arg);
}

static void on_readable(void *arg)
{
    struct tls_linger *linger = arg;
    size_t len = base_stream_len(linger->stream);

    linger->thrown_bytes += len;
    if (linger->thrown_bytes > LINGER_BYTES_MAX) {
        linger_free(linger);
        return;
    }
    base_stream_consume(linger->stream, len);
}

static void on_closed(void *arg, int err)
{
    struct tls_linger *linger = arg;

    /* The peer's orderly end may come before our alert has left. */
    if (err != 0 || base_stream_pending(linger->stream) == 0)
        linger_free(linger);
}

static void on_drained(void *arg)
{
    struct tls_linger *linger = arg;

    if (linger->stream->closed_in)
        linger_free(linger);
}

static const struct base_stream_events linger_events = {
    .on_readable = on_readable,
    .on_drained = on_drained,
    .on_closed = on_closed,
};

void tls_linger(struct rpc_tls *tls, struct base_stream *stream)
{
    struct tls_linger *linger;

    if (tls->linger_count >= TLS_LINGERS_MAX) {
        base_stream_close(stream);
        return;
    }
    BASE_NEW(linger);
    linger->tls = tls;
    linger->stream = stream;
    base_timer_init(&linger->timer, tls->env, "tls-linger", on_time, linger);
    base_timer_start_ms(&linger->timer, LINGER_MS);
    LIST_INSERT_HEAD(&tls->lingers, linger, link);
    tls->linger_count++;
    base_stream_shutdown(stream);
    base_stream_set_events(stream, &linger_events, linger);
}

void tls_lingers_end(struct rpc_tls *tls)
{
    while (!LIST_EMPTY(&tls->lingers))
        linger_free(LIST_FIRST(&tls->lingers));
}
