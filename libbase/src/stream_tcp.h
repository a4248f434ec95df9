/*
 * A stream on a connected TCP socket, on a libevent loop.
 */
#ifndef LIBBASE_STREAM_TCP_H
#define LIBBASE_STREAM_TCP_H

#include "base/stream.h"
#include "loop_private.h"

/** Takes over a connected, non-blocking socket. */
struct base_stream *stream_tcp_new(struct base_loop *loop, int fd);
/** Writes out what the streams of the loop gathered in this turn. */
void stream_tcp_flush_all(struct base_loop *loop);

#endif
