/*
 * One multiplexed connection, either side: frames in and out, long messages in
 * parts that take turns, grants, keep-alive, idleness. What a message means is
 * left to server_conn.c and pool_conn.c.
 * Threads: the loop of env.
 */
#ifndef RPC_SRC_MUX_H
#define RPC_SRC_MUX_H

#include "base/env.h"
#include "base/stream.h"
#include "frame.h"

struct rpc_mux;

struct rpc_mux_limits {
    uint32_t message_bytes_max;
    uint32_t streams_max;
    uint32_t idle_timeout_ms;
};

/** Any of these may free the mux. */
struct rpc_mux_events {
    /** A message begins. Non-zero: it is not wanted, its body is skipped. */
    int (*on_begin)(void *arg, const struct frame_head *head);
    /** It is complete. body is borrowed for the call; if own is not NULL, it
     * holds the body and may be taken over (and zeroed). arrived_ms: when it
     * began, on the monotonic clock. */
    void (*on_message)(void *arg, const struct frame_head *head,
                       uint64_t arrived_ms, const void *body, size_t len,
                       struct base_buf *own);
    /** Server: the caller gave up on that request. */
    void (*on_cancel)(void *arg, uint32_t id);
    /** Client: requests after last_id are not and will not be handled. */
    void (*on_goaway)(void *arg, uint32_t last_id);
    /** The answer to rpc_mux_ping(). May be NULL. */
    void (*on_pong)(void *arg);
    /** Not busy for the idle time. Comes again after as long. */
    void (*on_idle)(void *arg);
    /** The connection is over; why is for a person. Comes once; free it. */
    void (*on_end)(void *arg, int err, const char *why);
};

/** Takes stream. server: we answer requests; otherwise we make them. */
struct rpc_mux *rpc_mux_new(struct base_env *env, struct base_stream *stream,
                            bool server, const struct rpc_mux_limits *limits,
                            const struct rpc_mux_events *events, void *arg);
/** Closes the stream. */
void rpc_mux_free(struct rpc_mux *mux);

/** Sends a message: start, and its body (copied as far as it must wait). */
void rpc_mux_send(struct rpc_mux *mux, uint32_t id,
                  const struct frame_start *start, const void *body,
                  size_t len);
/** Forgets what is under way of that message, both directions. Client: tells
 * the server too. */
void rpc_mux_cancel(struct rpc_mux *mux, uint32_t id);
/** Server: no request after the last one that came will be handled. */
void rpc_mux_goaway(struct rpc_mux *mux);
/** Ends our direction after all that is under way. */
void rpc_mux_finish(struct rpc_mux *mux);
/** Asks the peer for a sign of life. */
void rpc_mux_ping(struct rpc_mux *mux);
/** When the peer was last heard, or calls began, on the monotonic clock. */
uint64_t rpc_mux_heard_ms(const struct rpc_mux *mux);
/** Calls in flight, as the user counts them: decides keep-alive or idleness. */
void rpc_mux_set_load(struct rpc_mux *mux, unsigned calls);
void rpc_mux_set_idle_timeout(struct rpc_mux *mux, uint32_t timeout_ms);
/** Messages that have begun and are not complete. */
unsigned rpc_mux_partial_count(const struct rpc_mux *mux);
/** What the peer takes; ours until its hello has come. */
uint32_t rpc_mux_peer_message_max(const struct rpc_mux *mux);
uint32_t rpc_mux_peer_streams_max(const struct rpc_mux *mux);

#endif
