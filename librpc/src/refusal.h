/*
 * Refusals: each is counted by its reason, and logged at a bounded rate.
 */
#ifndef RPC_SRC_REFUSAL_H
#define RPC_SRC_REFUSAL_H

#include "base/env.h"
#include "rpc/secure.h"

/** Moves "isthmus.rpc.refused" with that reason (a constant). */
void rpc_refusal_count(struct base_env *env, const char *reason);

/** Who was refused, as far as is known. */
struct rpc_refused {
    const struct base_addr *from;
    int byte;                     /* the type byte; -1: none came */
    const struct rpc_peer *peer;  /* NULL: nothing known */
    const char *domain;
    const char *reason;
    const char *why;              /* further words, or "" */
};
void rpc_refusal_log(struct base_env *env, struct base_log_limit *limit,
                     const struct rpc_refused *refused);

#endif
