/*
 * The calling side of RPC: pooled, multiplexed connections keyed by (dc, node,
 * address), so that two servers behind one gateway never share one. An idle
 * connection closes after two minutes; one that died is noticed on read, or by
 * a question before it is used after ten silent seconds, and never used again;
 * a call on a connection that dies fails with RPC_ECLOSED. A server that could
 * not be dialled twice is dialled again after a growing pause of up to a second;
 * calls to it fail at once in between, as dialling did.
 * Threads: the loop of env.
 */
#ifndef RPC_POOL_H
#define RPC_POOL_H

#include "rpc/dialer.h"
#include "rpc/server.h"

struct rpc_pool;

struct rpc_pool_config {
    uint32_t dial_timeout_ms;   /* 0: 10,000 */
    uint32_t idle_timeout_ms;   /* 0: 120,000 */
    uint32_t streams_max;       /* calls in flight a connection; 0: 64 */
    uint32_t message_bytes_max; /* 0: RPC_MESSAGE_BYTES_MAX */
};

int rpc_pool_new(struct base_env *env, struct rpc_dialer *dialer,
                 const struct rpc_pool_config *config, struct rpc_pool **out);
/** Every pending call's done comes with RPC_ECANCELLED before this returns. Not
 * inside a done. The dialer must still be there. */
void rpc_pool_free(struct rpc_pool *pool);

/**
 * Calls a method of a server. done comes later, once: an answer, the remote's
 * failure (status is its code, text its words), or why it could not be asked:
 * what dialling gave, RPC_EBUSY (1,024 calls wait for that server),
 * RPC_ETOOBIG, RPC_EDEADLINE, RPC_ECLOSED (the connection died: nobody knows
 * whether the method ran). *out lives until done; may be NULL.
 * Returns 0, or RPC_EINVAL or RPC_ETOOBIG at once, with done not to come.
 */
int rpc_pool_call(struct rpc_pool *pool, const struct rpc_target *target,
                  const struct rpc_request *request, rpc_done_fn done,
                  void *arg, struct rpc_pending **out);
/** Drops idle connections to that server, say when gossip saw it fail. */
void rpc_pool_forget(struct rpc_pool *pool, const char *dc, const char *node);
/** The ways to other datacenters have changed: a connection whose gateway is a
 * way no more takes no further calls, and closes when its last one has ended.
 * is_way is called before this returns, and must not call back into the
 * pool. */
void rpc_pool_renew(struct rpc_pool *pool, rpc_is_way_fn is_way, void *arg);

#endif
