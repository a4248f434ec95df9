/*
 * How many established connections a certificate has, by its name, and an
 * address those that show none. Takes and
 * the table belong to one loop; what a take gave may be released on any.
 */
#ifndef RPC_SRC_NAME_LIMIT_H
#define RPC_SRC_NAME_LIMIT_H

#include <stdint.h>

struct rpc_name_limit;
struct rpc_name_slot;

struct rpc_name_limit *rpc_name_limit_new(uint32_t max);
/** Slots that are still taken live on until they are released. */
void rpc_name_limit_free(struct rpc_name_limit *limit);
/** Counts one more connection of name; NULL if that would pass the limit. */
struct rpc_name_slot *rpc_name_limit_take(struct rpc_name_limit *limit,
                                          const char *name);
/** slot is a struct rpc_name_slot; fits base_stream_watch(). Any thread. */
void rpc_name_limit_release(void *slot);

#endif
