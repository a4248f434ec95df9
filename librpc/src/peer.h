/* Building and judging struct rpc_peer; see peer.c. */
#ifndef RPC_SRC_PEER_H
#define RPC_SRC_PEER_H

#include "rpc/protocol.h"
#include "rpc/secure.h"

/** Adds a DNS name in lower case. A name that is none (empty, too long, bytes
 * outside of letters, digits, "-_.*") or one too many is left out: it can never
 * match. */
void rpc_peer_add_name(struct rpc_peer *peer, const void *name, size_t len);

/** Whether its certificate may speak the protocol (federation.md section 3). A
 * peer without TLS bears no names and passes only where TLS is not in use. */
bool rpc_peer_may_speak(const struct rpc_peer *peer, enum rpc_protocol protocol,
                        const char *datacenter, const char *domain);

/** The name that stands for its certificate in limits and logs: that of one
 * server if it has one, else its first, else "". */
const char *rpc_peer_name(const struct rpc_peer *peer, const char *domain);

#endif
