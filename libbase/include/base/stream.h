/*
 * A reliable, ordered byte stream: TCP (base/net.h), TLS (librpc), a pipe in
 * the simulator. One interface for all, so that no protocol knows its carrier.
 *
 * Reading: bytes gather in the stream's input buffer, at most in_limit_bytes;
 * then the carrier stops reading (the peer feels back-pressure) until the user
 * consumes. Writing: bytes are copied to the output queue; the user watches
 * base_stream_pending() and waits for on_drained.
 *
 * Owner:   whoever holds the stream; ownership passes with the pointer. End
 *          with base_stream_close(): no callback comes after it.
 * Threads: the loop that the stream is attached to.
 * Reentry: any call but base_stream_detach() may be made inside a callback,
 *          base_stream_close() too.
 */
#ifndef BASE_STREAM_H
#define BASE_STREAM_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "base/addr.h"
#include "base/buf.h"
#include "base/env.h"

struct base_stream;

/** What a user hears. Any member may be NULL. */
struct base_stream_events {
    /** There is new input (also when handlers were set and input waits). */
    void (*on_readable)(void *arg);
    /** Everything written has left for the carrier; or, after the end was
     * told, output failed and nothing waits any more. */
    void (*on_drained)(void *arg);
    /** No more input will come: err 0 for the peer's orderly end, else why.
     * Input that waits can still be read, and after err 0 output still flows.
     * Comes once. The user still has to close. */
    void (*on_closed)(void *arg, int err);
};

struct base_stream_ops {
    uint32_t version; /* 3 */
    int (*write)(struct base_stream *stream, const void *data, size_t len);
    size_t (*pending)(const struct base_stream *stream);
    void (*shutdown)(struct base_stream *stream);
    void (*consumed)(struct base_stream *stream); /* input space came free */
    void (*detach)(struct base_stream *stream);
    void (*attach)(struct base_stream *stream, struct base_env *env);
    void (*close)(struct base_stream *stream);
    /* Since 2. NULL: this kind is no plain socket. */
    int (*release_fd)(struct base_stream *stream);
    /* Since 3. NULL: nothing is gathered. */
    void (*flush)(struct base_stream *stream);
};

/** The part that every kind of stream begins with. Kinds embed it first. */
struct base_stream {
    const struct base_stream_ops *ops;
    struct base_env *env;
    const struct base_stream_events *events; /* NULL until set */
    void *arg;
    struct base_buf in;
    size_t in_limit_bytes; /* default 256 KiB */
    struct base_addr local;
    struct base_addr peer;
    bool closed_in;        /* on_closed was or will be told */
    int close_err;
    void (*freed)(void *arg); /* see base_stream_watch() */
    void *freed_arg;
    /* Private to stream.c. */
    bool closed_told;      /* these handlers have heard of the end */
    bool *gone;            /* set by close during a callback */
    struct base_timer wake; /* tells new handlers what waits */
};

#define BASE_STREAM_IN_LIMIT_BYTES (256u * 1024u)
/* More than this waiting in an output queue is a bug or an attack. */
#define BASE_STREAM_OUT_LIMIT_BYTES (64u * 1024u * 1024u)

/** Who to tell. If input (or an end) already waits, it is told soon, from the
 * loop. events must outlive the stream; NULL: nobody for now. New handlers hear
 * of an end that older ones heard of. */
void base_stream_set_events(struct base_stream *stream,
                            const struct base_stream_events *events, void *arg);
/** How much input may wait; at least what one message of the protocol needs. */
void base_stream_set_in_limit(struct base_stream *stream, size_t limit_bytes);

static inline const uint8_t *base_stream_data(const struct base_stream *stream)
{
    return base_buf_data(&stream->in);
}
static inline size_t base_stream_len(const struct base_stream *stream)
{
    return base_buf_len(&stream->in);
}
/** Drops len bytes of input, and lets the carrier read on. */
void base_stream_consume(struct base_stream *stream, size_t len);
/** Queues a copy. 0; BASE_ECLOSED after an error or shutdown; BASE_EFULL if the
 * queue would pass BASE_STREAM_OUT_LIMIT_BYTES (nothing is queued). */
int base_stream_write(struct base_stream *stream, const void *data, size_t len);
/** Bytes queued and not yet with the carrier. */
size_t base_stream_pending(const struct base_stream *stream);
/** Offers what is queued to the carrier now, not at the end of the turn: for
 * who has work to do after writing. on_drained comes later all the same, and an
 * error shows as the end of the stream. */
void base_stream_flush(struct base_stream *stream);
/** Ends our direction after what is queued. Reading goes on. */
void base_stream_shutdown(struct base_stream *stream);
/** Frees it. What is queued is lost: wait for on_drained first if it matters. */
void base_stream_close(struct base_stream *stream);

/** freed(arg) once, when the stream is closed or released, on the loop that it
 * is on then: for who counts streams that others own. One a stream. */
void base_stream_watch(struct base_stream *stream, void (*freed)(void *arg),
                       void *arg);

/** Moves a stream to another loop: detach on the old loop (not inside one of
 * the stream's own callbacks' callers; a base_env_post() away is safe), hand
 * the pointer over with base_env_post(), attach on the new one, set events.
 * Detaching forgets the handlers. */
void base_stream_detach(struct base_stream *stream);
void base_stream_attach(struct base_stream *stream, struct base_env *env);

/** Whether the carrier is a plain socket, so that it can be released. */
static inline bool base_stream_has_fd(const struct base_stream *stream)
{
    return stream->ops->release_fd != NULL;
}
/** For who moves bytes by himself (splice): frees the stream and returns its
 * socket, non-blocking and the caller's. Input that waits is lost: take it
 * before. Nothing may wait in the output queue (base_stream_pending() is 0).
 * Not from within one of the stream's own callbacks. */
int base_stream_release_fd(struct base_stream *stream);

/* For kinds of streams: how they tell their user. Each returns false if the
 * user closed the stream during the callback: then touch nothing. */

/** Initialises the common part. */
void base_stream_init(struct base_stream *stream,
                      const struct base_stream_ops *ops, struct base_env *env);
/** Frees what the common part holds. */
void base_stream_fini(struct base_stream *stream);
bool base_stream_tell_readable(struct base_stream *stream);
bool base_stream_tell_drained(struct base_stream *stream);
/** No more input comes: err 0 for an orderly end. Only the first call counts. */
bool base_stream_tell_closed(struct base_stream *stream, int err);

#endif
