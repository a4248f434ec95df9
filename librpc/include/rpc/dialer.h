/*
 * Dialling a server by who it is: (dc, node, address, protocol). Inside our dc
 * (or without federation) it connects to the address, with byte 3 before TLS;
 * to another dc it asks for a gateway, and uses native TLS with SNI and ALPN.
 * Source: federation.md section 4.
 * Threads: the loop of env.
 */
#ifndef RPC_DIALER_H
#define RPC_DIALER_H

#include "base/net.h"
#include "rpc/error.h"
#include "rpc/protocol.h"
#include "rpc/secure.h"

struct rpc_dialer;
struct rpc_dial; /* one under way */

/** Strings are borrowed for the call. */
struct rpc_target {
    const char *dc;
    const char *node; /* "" or "*": any server of that dc */
    struct base_addr addr; /* used for our own dc only, when federated */
    struct base_addr avoid; /* a gateway to leave to others while there is
                               another one; family 0: none */
};

/** Which gateway to use for another dc; implemented above librpc. Called on
 * the dialer's loop; must not call back into the dialer. */
struct rpc_gateway_ops {
    uint32_t version; /* 2 */
    /** 0 and an address, or RPC_ENOGATEWAY. Not avoid (NULL: any will do), as
     * long as there is another one that works. */
    int (*pick)(void *ctx, const char *dc, const struct base_addr *avoid,
                struct base_addr *gateway);
    /** What became of a connection through it: 0 or an error. */
    void (*report)(void *ctx, const char *dc, const struct base_addr *gateway,
                   int status);
};

/** Whether that gateway is still a way to dc; true for our own dc. */
typedef bool (*rpc_is_way_fn)(void *arg, const char *dc,
                              const struct base_addr *gateway);

struct rpc_dialer_config {
    const char *datacenter;
    const char *domain;
    const struct rpc_secure *secure;  /* NULL: plain TCP (no federation) */
    bool federation;
    bool verify_server_hostname;
    struct base_addr from;            /* local address to use; family 0: any */
    const struct rpc_gateway_ops *gateways; /* may be NULL without federation */
    void *gateways_ctx;
};

int rpc_dialer_new(struct base_env *env, struct base_net *net,
                   const struct rpc_dialer_config *config,
                   struct rpc_dialer **out);
void rpc_dialer_free(struct rpc_dialer *dialer);

/** status 0 and the stream (given), ready for the protocol's first message. */
typedef void (*rpc_dial_fn)(void *arg, int status, struct base_stream *stream,
                            const struct rpc_peer *peer);

/** done comes once, later, unless cancelled. Returns 0 or, with done not to
 * come, RPC_ENOGATEWAY (retryable) or another error. */
int rpc_dialer_dial(struct rpc_dialer *dialer, const struct rpc_target *target,
                    enum rpc_protocol protocol, uint32_t timeout_ms,
                    rpc_dial_fn done, void *arg, struct rpc_dial **out);
void rpc_dial_cancel(struct rpc_dial *dial);
const char *rpc_dialer_datacenter(const struct rpc_dialer *dialer);

#endif
