/*
 * The way out for gossip: UDP and TCP (gossip/net_transport.h), gateways
 * (libwanfed), a virtual network. Every send says which node it is for, since
 * behind gateways an address alone does not say it.
 */
#ifndef GOSSIP_TRANSPORT_H
#define GOSSIP_TRANSPORT_H

#include "base/addr.h"
#include "base/stream.h"

#define GOSSIP_NAME_MAX 512 /* on input; 255 is the most that we send */

/** Who to reach. name may be ""; addr may be a placeholder that only a
 * transport that routes by name can use. Borrowed for the call. */
struct gossip_peer {
    const char *name;
    struct base_addr addr;
};

/** status 0 and a stream (given), or an error and NULL. */
typedef void (*gossip_stream_fn)(void *arg, int status,
                                 struct base_stream *stream);

struct gossip_dial; /* one under way; made and freed by the transport */

/**
 * Owner:   the maker of ctx keeps it alive until the node that uses it is freed.
 * Threads: called only on the loop that owns the gossip instance.
 * Reentry: must not call into that instance before returning.
 */
struct gossip_transport_ops {
    uint32_t version; /* 1. New members go at the end and raise it. */
    /**
     * Sends one packet to one peer. Never blocks, never retries. data is
     * borrowed. 0 once the network has it, BASE_EFULL if a queue was full,
     * GOSSIP_EROUTE if there is no way there. The core takes any error of a
     * ping for a failed probe (federation.md F13) and goes on.
     */
    int (*send_packet)(void *ctx, const struct gossip_peer *to,
                       const void *data, size_t len);
    /** Opens a stream to a peer; done comes later, once, unless cancelled. */
    int (*dial_stream)(void *ctx, const struct gossip_peer *to,
                       uint32_t timeout_ms, gossip_stream_fn done, void *arg,
                       struct gossip_dial **out);
    void (*dial_cancel)(void *ctx, struct gossip_dial *dial);
    /** False for peers that a TCP fallback ping cannot help (behind a gateway
     * it would take the same road). NULL: true for all. */
    bool (*wants_stream_ping)(void *ctx, const struct gossip_peer *to);
};

struct gossip_transport {
    const struct gossip_transport_ops *ops;
    void *ctx;
};

#endif
