/*
 * The serving side of RPC: methods by name, calls that end exactly once, on
 * multiplexed connections (RPC_PROTOCOL_MULTI) or one call a connection
 * (RPC_PROTOCOL_SINGLE). The wire format is in docs/protocol.md.
 * Threads: the loop of env.
 */
#ifndef RPC_SERVER_H
#define RPC_SERVER_H

#include "base/env.h"
#include "base/stream.h"
#include "rpc/error.h"
#include "rpc/secure.h"

#define RPC_MESSAGE_BYTES_MAX (16u * 1024u * 1024u)

struct rpc_server;
struct rpc_call;

/** A call came. Answer now or keep the handle: it must end once, by
 * rpc_call_reply() or rpc_call_fail(). */
typedef void (*rpc_method_fn)(void *arg, struct rpc_call *call);

enum rpc_method_flags {
    RPC_METHOD_SERVERS = 1, /* only for certificates of servers, of any dc */
    RPC_METHOD_OWN_DC = 2,  /* only for certificates of servers of our dc */
};

struct rpc_server_config {
    const char *datacenter;
    const char *domain;
    bool check_names;          /* false without TLS: flags are not enforced */
    uint32_t message_bytes_max;/* 0: RPC_MESSAGE_BYTES_MAX */
    uint32_t streams_max;      /* calls in flight a connection; 0: 64 */
    uint32_t idle_timeout_ms;  /* a connection without calls; 0: 120,000 */
};

int rpc_server_new(struct base_env *env, const struct rpc_server_config *config,
                   struct rpc_server **out);
/** Closes connections; pending calls see on_cancel and must still be ended.
 * Also inside a method. */
void rpc_server_free(struct rpc_server *server);
/**
 * Ends it gently: callers are told to go elsewhere, calls that have come are
 * finished, further ones are not taken. done comes once, later: when no call
 * and no connection is left, or after timeout_ms, with the rest cut off. Then
 * free it; freeing earlier keeps done from coming.
 */
void rpc_server_shutdown(struct rpc_server *server, uint32_t timeout_ms,
                         void (*done)(void *arg), void *arg);
/** name is a constant, "FederationState.Apply"; "*" stands for every name that
 * has no method of its own. */
void rpc_server_method(struct rpc_server *server, const char *name,
                       unsigned flags, rpc_method_fn method, void *arg);
/** Takes over a connection that the listener accepted. */
void rpc_server_accept_multi(struct rpc_server *server,
                             struct base_stream *stream,
                             const struct rpc_peer *peer);
void rpc_server_accept_single(struct rpc_server *server,
                              struct base_stream *stream,
                              const struct rpc_peer *peer);

/* The call, alive until it ends. */
const char *rpc_call_method(const struct rpc_call *call);
const void *rpc_call_body(const struct rpc_call *call, size_t *len);
/** The access token that came with it; "" if none. */
const char *rpc_call_token(const struct rpc_call *call);
/** Milliseconds until the caller gives up; 0: over. */
uint32_t rpc_call_left_ms(const struct rpc_call *call);
/** NULL for a call made in our own process. */
const struct rpc_peer *rpc_call_peer(const struct rpc_call *call);
/** Times that servers have forwarded it. */
unsigned rpc_call_hops(const struct rpc_call *call);
/** Told once if the caller cancels, its connection ends or the deadline passes.
 * The handler must still end the call (the answer goes nowhere). */
void rpc_call_on_cancel(struct rpc_call *call, void (*cancelled)(void *arg),
                        void *arg);
void rpc_call_reply(struct rpc_call *call, const void *body, size_t len);
/** code is a negative error; text is one clear sentence, copied. */
void rpc_call_fail(struct rpc_call *call, int code, const char *text);

/** How a call ended. body and text are borrowed for the call. */
typedef void (*rpc_done_fn)(void *arg, int status, const char *text,
                            const void *body, size_t len);

/** What a caller says besides the body. Strings are borrowed for the call. */
struct rpc_request {
    const char *method;     /* 1 to 255 visible ASCII bytes */
    const char *token;      /* up to 1,024 of them; NULL: none */
    const void *body;       /* copied */
    size_t body_len;
    uint32_t timeout_ms;    /* travels with the request; 0: already over, the
                               call ends with RPC_EDEADLINE */
    unsigned hops;          /* at most 255 */
};

struct rpc_pending; /* a call under way, on the caller's side */

/** Runs a method of this server in our own process, with the same rules; done
 * comes later, once, unless cancelled (rpc_pending_cancel). *out lives until
 * done; may be NULL. Returns 0, RPC_EINVAL, RPC_ETOOBIG, or RPC_ECLOSED during
 * a shutdown. */
int rpc_server_call_local(struct rpc_server *server,
                          const struct rpc_request *request, rpc_done_fn done,
                          void *arg, struct rpc_pending **out);
/** The remote side is told; done does not come. */
void rpc_pending_cancel(struct rpc_pending *pending);

#endif
