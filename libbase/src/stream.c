/*
 * The common part of every stream: the input buffer, the user's handlers, and
 * the rules of telling. Readable is told before closed, closed once to each set
 * of handlers, nothing inside the call that set them (a zero timer tells what
 * waits), and a user may close the stream inside any callback. Moving bytes is
 * left to the kinds (stream_tcp.c, sim_stream.c, TLS in librpc).
 */
#include "base/stream.h"

#include <assert.h>

#include "base/error.h"

static void on_wake(void *arg);

void base_stream_init(struct base_stream *stream,
                      const struct base_stream_ops *ops, struct base_env *env)
{
    *stream = (struct base_stream){
        .ops = ops, .env = env, .in_limit_bytes = BASE_STREAM_IN_LIMIT_BYTES};
    base_timer_init(&stream->wake, env, "stream-wake", on_wake, stream);
}

void base_stream_fini(struct base_stream *stream)
{
    if (stream->gone != NULL)
        *stream->gone = true;
    stream->gone = NULL;
    stream->events = NULL;
    if (stream->env != NULL)
        base_timer_stop(&stream->wake);
    base_buf_close(&stream->in);
    if (stream->freed != NULL)
        stream->freed(stream->freed_arg);
}

void base_stream_watch(struct base_stream *stream, void (*freed)(void *arg),
                       void *arg)
{
    stream->freed = freed;
    stream->freed_arg = arg;
}

/* Calls tell(arg) and watches whether the stream lives on. Callbacks nest where
 * one kind of stream carries another, hence the chain of flags. */
static bool call_guarded(struct base_stream *stream, void (*tell)(void *arg))
{
    bool *outer = stream->gone;
    bool gone = false;

    stream->gone = &gone;
    tell(stream->arg);
    if (gone) {
        if (outer != NULL)
            *outer = true;
        return false;
    }
    stream->gone = outer;
    return true;
}

/* True while the wake timer is about to tell everything that waits: telling
 * something earlier would break the order. */
static bool wake_will_tell(const struct base_stream *stream)
{
    return base_timer_is_running(&stream->wake);
}

bool base_stream_tell_readable(struct base_stream *stream)
{
    if (stream->events == NULL || stream->events->on_readable == NULL ||
        wake_will_tell(stream))
        return true;
    return call_guarded(stream, stream->events->on_readable);
}

bool base_stream_tell_drained(struct base_stream *stream)
{
    if (stream->events == NULL || stream->events->on_drained == NULL)
        return true;
    return call_guarded(stream, stream->events->on_drained);
}

static bool tell_end(struct base_stream *stream)
{
    bool *outer = stream->gone;
    bool gone = false;

    if (stream->events == NULL || stream->closed_told || wake_will_tell(stream))
        return true;
    stream->closed_told = true;
    if (stream->events->on_closed == NULL)
        return true;
    stream->gone = &gone;
    stream->events->on_closed(stream->arg, stream->close_err);
    if (gone) {
        if (outer != NULL)
            *outer = true;
        return false;
    }
    stream->gone = outer;
    return true;
}

bool base_stream_tell_closed(struct base_stream *stream, int err)
{
    if (stream->closed_in)
        return true;
    stream->closed_in = true;
    stream->close_err = err;
    return tell_end(stream);
}

static void on_wake(void *arg)
{
    struct base_stream *stream = arg;

    if (base_stream_len(stream) > 0 && !base_stream_tell_readable(stream))
        return;
    if (stream->closed_in)
        tell_end(stream);
}

void base_stream_set_events(struct base_stream *stream,
                            const struct base_stream_events *events, void *arg)
{
    assert(stream->env != NULL);
    stream->events = events;
    stream->arg = arg;
    stream->closed_told = false;
    base_timer_stop(&stream->wake);
    if (events != NULL && (base_stream_len(stream) > 0 || stream->closed_in))
        base_timer_start_ns(&stream->wake, 0);
}

void base_stream_set_in_limit(struct base_stream *stream, size_t limit_bytes)
{
    bool raised = limit_bytes > stream->in_limit_bytes;

    stream->in_limit_bytes = limit_bytes;
    if (raised)
        stream->ops->consumed(stream);
}

void base_stream_consume(struct base_stream *stream, size_t len)
{
    base_buf_consume(&stream->in, len);
    if (len > 0)
        stream->ops->consumed(stream);
}

int base_stream_write(struct base_stream *stream, const void *data, size_t len)
{
    size_t pending = stream->ops->pending(stream);

    if (pending > BASE_STREAM_OUT_LIMIT_BYTES ||
        len > BASE_STREAM_OUT_LIMIT_BYTES - pending)
        return BASE_EFULL;
    return stream->ops->write(stream, data, len);
}

size_t base_stream_pending(const struct base_stream *stream)
{
    return stream->ops->pending(stream);
}

void base_stream_flush(struct base_stream *stream)
{
    if (stream->ops->version >= 3 && stream->ops->flush != NULL)
        stream->ops->flush(stream);
}

void base_stream_shutdown(struct base_stream *stream)
{
    stream->ops->shutdown(stream);
}

void base_stream_close(struct base_stream *stream)
{
    if (stream->gone != NULL)
        *stream->gone = true;
    stream->gone = NULL;
    stream->events = NULL;
    if (stream->env != NULL)
        base_timer_stop(&stream->wake);
    stream->ops->close(stream);
}

void base_stream_detach(struct base_stream *stream)
{
    assert(stream->gone == NULL); /* not inside a callback */
    base_timer_stop(&stream->wake);
    stream->events = NULL;
    stream->ops->detach(stream);
    stream->env = NULL;
}

void base_stream_attach(struct base_stream *stream, struct base_env *env)
{
    assert(stream->env == NULL);
    stream->env = env;
    base_timer_init(&stream->wake, env, "stream-wake", on_wake, stream);
    stream->ops->attach(stream, env);
}

int base_stream_release_fd(struct base_stream *stream)
{
    return stream->ops->release_fd(stream);
}
