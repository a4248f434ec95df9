/*
 * What makes a stream secret and names both ends: TLS (rpc/tls.h) in the
 * daemon, a readable stand-in with the same opening bytes in the simulator.
 */
#ifndef RPC_SECURE_H
#define RPC_SECURE_H

#include <stdbool.h>
#include <stddef.h>

#include "base/stream.h"

#define RPC_NAMES_MAX 16

/** Who is at the other end, as its certificate says. */
struct rpc_peer {
    struct base_addr addr;              /* a gateway's, if one stands between */
    char alpn[64];                      /* negotiated; "" if none */
    bool secure;                        /* over TLS */
    unsigned name_count;
    char names[RPC_NAMES_MAX][254];     /* DNS names, lower case */
};
/** True if the certificate bears exactly that DNS name; case is ignored. */
bool rpc_peer_has_name(const struct rpc_peer *peer, const char *name);
/** True if some name is server.<any dc>.<domain>. */
bool rpc_peer_is_server(const struct rpc_peer *peer, const char *domain);

/** status 0 with the secret stream (given) and its peer (borrowed for the
 * call); or an error, text for a person, and the inner stream is closed. */
typedef void (*rpc_secure_fn)(void *arg, int status, const char *why,
                              struct base_stream *stream,
                              const struct rpc_peer *peer);

struct rpc_handshake; /* one under way */

/**
 * Owner:   the maker of ctx keeps it alive while handshakes and streams live.
 * Threads: one loop per ctx.
 * Reentry: done comes later, once, unless cancelled: from the loop, with no
 *          callback of a stream below it, so that the new stream may be
 *          detached at once.
 * Errors:  client and server return 0, or an error: inner is closed then, and
 *          done does not come.
 */
struct rpc_secure_ops {
    uint32_t version; /* 1 */
    /**
     * Opens the client side on inner (given). server_name goes into SNI and,
     * with verify_name, must be borne by the server's certificate. alpn is
     * offered alone and must be what comes back; NULL offers none.
     */
    int (*client)(void *ctx, struct base_stream *inner, const char *server_name,
                  bool verify_name, const char *alpn, uint32_t timeout_ms,
                  rpc_secure_fn done, void *arg, struct rpc_handshake **out);
    /**
     * Opens the server side on inner (given). alpns is NULL-terminated; with
     * alpn_required, a client that offers none of them is refused, and so is
     * one that asks for a server name that our certificate does not bear.
     */
    int (*server)(void *ctx, struct base_stream *inner,
                  const char *const *alpns, bool alpn_required,
                  uint32_t timeout_ms, rpc_secure_fn done, void *arg,
                  struct rpc_handshake **out);
    /** Closes the inner stream; done does not come. */
    void (*cancel)(struct rpc_handshake *handshake);
};

struct rpc_secure {
    const struct rpc_secure_ops *ops;
    void *ctx;
};

#endif
