/*
 * Raft messages between servers of one datacenter: each on a connection of its
 * own (RPC_PROTOCOL_RAFT), a 4-byte big-endian length before each. Losing one
 * is fine, Raft sends again; waiting for a dead peer is not, so queues are
 * bounded and dials back off.
 * Threads: the main loop.
 */
#ifndef SERVER_RAFT_LINK_H
#define SERVER_RAFT_LINK_H

#include <stdbool.h>

#include "raft/transport.h"
#include "rpc/dialer.h"

struct raft_link;

struct raft_link_config {
    struct base_env *env;
    struct rpc_dialer *dialer;
    const char *datacenter; /* outlives it */
    void (*receive)(void *ctx, const void *data, size_t len);
    /** Where the server of that id is, as "node/ip:port"; false if nobody
     * knows. Asked for servers that Raft has no address of: a server that was
     * just added hears its leader before it has a configuration. */
    bool (*locate)(void *ctx, const char *id, char out[RAFT_ADDRESS_MAX]);
    void *ctx;
};

struct raft_link *raft_link_new(const struct raft_link_config *config);
void raft_link_free(struct raft_link *link);
struct raft_transport raft_link_transport(struct raft_link *link);
/** For rpc_listener_handle(); arg is the link. */
void raft_link_accept(void *arg, struct base_stream *stream,
                      const struct rpc_peer *peer);

#endif
