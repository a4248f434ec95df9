/*
 * How servers reach each other: packed messages, best effort, in order while
 * a connection lives. The daemon carries them on its server port; raft ships
 * raft/transport_stream.h for plain TCP.
 * Threads: the loop of the node.
 */
#ifndef RAFT_TRANSPORT_H
#define RAFT_TRANSPORT_H

#include "raft/types.h"

struct raft_transport_ops {
    uint32_t version; /* 2 */
    /** Queues a packed message for a server; data is borrowed. May drop it:
     * Raft sends again. Never blocks. Returns 0 or why it was dropped. */
    int (*send)(void *ctx, const struct raft_server *to, const void *data,
                size_t len);
    /** Since 2, may be NULL. What was queued should leave now: the node calls
     * it before it turns to its own disk. */
    void (*flush)(void *ctx);
};

struct raft_transport {
    const struct raft_transport_ops *ops;
    void *ctx;
};

#endif
