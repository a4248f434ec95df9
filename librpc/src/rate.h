/*
 * How many connections a source address may open: a token bucket each, in a
 * table of fixed size. Threads: one loop.
 */
#ifndef RPC_SRC_RATE_H
#define RPC_SRC_RATE_H

#include <stdbool.h>

#include "base/env.h"

struct rpc_rate;

/** per_second also is the size of half a burst. */
struct rpc_rate *rpc_rate_new(struct base_env *env, uint32_t per_second);
void rpc_rate_free(struct rpc_rate *rate);
/** True if one more connection of that address may be served now. */
bool rpc_rate_pass(struct rpc_rate *rate, const struct base_addr *from);

#endif
