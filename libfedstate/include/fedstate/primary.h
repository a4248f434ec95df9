/*
 * The primary datacenter, wherever it is: the two calls that replication and
 * anti-entropy make upwards. The daemon implements them by RPC.
 */
#ifndef FEDSTATE_PRIMARY_H
#define FEDSTATE_PRIMARY_H

#include "base/env.h"
#include "fedstate/fedstate.pb-c.h"

/** reply is borrowed; NULL if status is an error. */
typedef void (*fedstate_list_fn)(void *arg, int status,
                                 const Fedstate__ListReply *reply);
typedef void (*fedstate_apply_fn)(void *arg, int status);

struct fedstate_call; /* one under way; made by the implementer */

/** Reentry: done comes later, once, unless cancelled. */
struct fedstate_primary_ops {
    uint32_t version; /* 1 */
    int (*list)(void *ctx, const Fedstate__ListRequest *request,
                fedstate_list_fn done, void *arg, struct fedstate_call **out);
    int (*apply)(void *ctx, const Fedstate__Change *change,
                 fedstate_apply_fn done, void *arg, struct fedstate_call **out);
    void (*cancel)(void *ctx, struct fedstate_call *call);
};
struct fedstate_primary {
    const struct fedstate_primary_ops *ops;
    void *ctx;
};

/** The same towards our own Raft. A change that is refused for its own sake
 * ends with FEDSTATE_EINVAL, ENODC, EOP, ESTALE or ETOOBIG (an entry over the
 * log's limit too): replication then goes on with the others. Any other error
 * ends its round. */
struct fedstate_local_ops {
    uint32_t version; /* 1 */
    int (*apply)(void *ctx, const Fedstate__Change *change,
                 fedstate_apply_fn done, void *arg, struct fedstate_call **out);
    void (*cancel)(void *ctx, struct fedstate_call *call);
};
struct fedstate_local {
    const struct fedstate_local_ops *ops;
    void *ctx;
};

#endif
