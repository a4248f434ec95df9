/*
 * The server port: one TCP listener whose first byte decides, TLS by what
 * rpc_secure gives, ALPN, and the rule who may speak what. A connection that
 * passes is handed to the protocol's handler with the certificate's names;
 * every other one is closed, counted by reason and logged at a bounded rate.
 * Source: federation.md section 3.
 * Threads: the loop of env.
 */
#ifndef RPC_LISTENER_H
#define RPC_LISTENER_H

#include "base/net.h"
#include "rpc/error.h"
#include "rpc/protocol.h"
#include "rpc/secure.h"

struct rpc_listener;

/** A connection of the protocol, the type byte already gone; stream is given,
 * and may be detached at once. peer is borrowed for the call. */
typedef void (*rpc_accept_fn)(void *arg, struct base_stream *stream,
                              const struct rpc_peer *peer);

struct rpc_listener_config {
    struct base_addr addr;
    const char *datacenter;
    const char *domain;
    const struct rpc_secure *secure; /* NULL: no TLS at all */
    bool verify_incoming;            /* refuse a first byte without TLS */
    bool federation;                 /* refuse 0, 1, 4, 5 without TLS */
    uint32_t handshake_timeout_ms;   /* first byte to end of TLS; 0: 5,000 */
    uint32_t handshakes_max;         /* in flight; 0: 64 */
    uint32_t connections_per_name;   /* established, a certificate; without
                                        one, an IP; 0: 100 */
    uint32_t accepts_per_second; /* a source IP, twice that at once; 0: 200 */
};

/*
 * Counter "isthmus.rpc.refused", label "reason":
 *   unknown-byte               2, 6, 7, 8 and whatever else is no protocol
 *   not-tls                    a plain protocol byte where TLS is demanded
 *   tls-in-tls                 3 or 0x16 again, inside TLS
 *   tls-not-configured         3 or 0x16 without a certificate of ours
 *   mutual-tls-not-configured  0x16 without verify_incoming
 *   first-byte-timeout         no type byte in time, before or inside TLS
 *   handshake, handshake-timeout, alpn
 *                              the TLS handshake failed: by certificate or
 *                              cipher; by its time; by the protocol asked for
 *   left                       the client went in the middle of the handshake
 *                              without a word: counted, but not logged
 *   server-name                native TLS asked for a server that our
 *                              certificate does not name
 *   certificate-name           the certificate may not speak the protocol
 *   no-handler                 nobody takes that protocol here
 *   handshakes-max, waiting-max, rate, name-max, address-max
 *                              a limit: handshakes in flight, and connections
 *                              without a first byte (of both, the one longest
 *                              there makes room); accepts of that IP;
 *                              established connections of that certificate,
 *                              or without one of that IP
 */

/** Listens. Strings are copied; secure and env outlive it. */
int rpc_listener_new(struct base_env *env, struct base_net *net,
                     const struct rpc_listener_config *config,
                     struct rpc_listener **out);
/** Who takes a protocol; a protocol without a handler is refused. */
void rpc_listener_handle(struct rpc_listener *listener,
                         enum rpc_protocol protocol, rpc_accept_fn accept,
                         void *arg);
void rpc_listener_addr(const struct rpc_listener *listener,
                       struct base_addr *out);
/** Stops listening and ends handshakes; handed-over streams live on. Not inside
 * an accept function. */
void rpc_listener_free(struct rpc_listener *listener);

#endif
