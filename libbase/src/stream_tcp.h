/*
 * A stream on a connected TCP socket, on a libevent loop.
 */
#ifndef LIBBASE_STREAM_TCP_H
#define LIBBASE_STREAM_TCP_H

#include "base/stream.h"
#include "loop_private.h"

/** Takes over a connected, non-blocking socket (with socket_set_stream()). It
 * does not read yet: see stream_tcp_give(). */
struct base_stream *stream_tcp_new(struct base_loop *loop, int fd,
                                   const struct base_addr *local,
                                   const struct base_addr *peer);
/** Gives a new stream to its user, give(arg, stream), and has it read if
 * it is still there after that: who takes the socket for himself, or is not
 * interested, costs the kernel no registration. */
void stream_tcp_give(struct base_stream *stream,
                     void (*give)(void *arg, struct base_stream *stream),
                     void *arg);
/** Reads what is there already; for a stream that has no handlers yet. */
void stream_tcp_read_early(struct base_stream *stream);
/** Writes out what the streams of the loop gathered in this turn. */
void stream_tcp_flush_all(struct base_loop *loop);

#endif
