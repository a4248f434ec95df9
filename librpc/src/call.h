/*
 * A call on the serving side, whoever made it, and a pending one on the asking
 * side, wherever it went.
 */
#ifndef RPC_SRC_CALL_H
#define RPC_SRC_CALL_H

#include <sys/queue.h>

#include "base/buf.h"
#include "frame.h"
#include "rpc/server.h"

/** Shared by a connection and its calls, which may outlive it. */
struct rpc_peer_ref {
    unsigned refs;
    struct rpc_peer peer;
};
struct rpc_peer_ref *rpc_peer_ref_new(const struct rpc_peer *peer);
void rpc_peer_unref(struct rpc_peer_ref *ref);

/** Where a call came from. */
struct rpc_origin_ops {
    /** The answer; at most once, and not at all if nobody waits any more. */
    void (*answer)(void *origin, struct rpc_call *call, int status,
                   const char *text, const void *body, size_t len);
    /** The handler has ended it; it is freed after this. */
    void (*ended)(void *origin, struct rpc_call *call);
};

struct rpc_call {
    TAILQ_ENTRY(rpc_call) link; /* the origin's */
    struct base_env *env;
    const struct rpc_origin_ops *ops;
    void *origin;      /* NULL: it is gone */
    struct rpc_peer_ref *peer; /* NULL: our own process */
    uint32_t id;
    char *method;
    char *token;
    struct base_buf body;
    unsigned hops;
    uint64_t started_ns;
    uint64_t deadline_ms;
    bool answered;     /* or nobody waits */
    bool over;         /* the handler may as well stop */
    bool told;         /* it has heard that */
    void (*cancelled)(void *arg);
    void *cancelled_arg;
    struct base_timer timer;
    struct base_histogram *duration; /* of its method; may be NULL */
};
TAILQ_HEAD(rpc_call_list, rpc_call);

/** A call with the head's words; its deadline runs from arrived_ms. */
struct rpc_call *rpc_call_new(struct base_env *env,
                              const struct rpc_origin_ops *ops, void *origin,
                              const struct frame_head *head,
                              uint64_t arrived_ms);
/** The caller waits no more: the handler hears it and still has to end it. It
 * may do so at once. */
void rpc_call_give_up(struct rpc_call *call);
/** The same, and the origin goes. */
void rpc_call_orphan(struct rpc_call *call);

/** What rpc_pending_cancel() calls; users of it embed this first. */
struct rpc_pending {
    void (*cancel)(struct rpc_pending *pending);
};

/** RPC_EINVAL or RPC_ETOOBIG if the request can not be sent. */
int rpc_request_check(const struct rpc_request *request, size_t bytes_max);

#endif
