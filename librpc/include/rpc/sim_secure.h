/*
 * A stand-in for TLS in the simulator (base/sim.h), and nowhere else: IT KEEPS
 * NOTHING SECRET AND PROVES NOTHING. It opens with a real ClientHello, so that
 * gateways route it; then both ends say in the clear which CA and names they
 * bear, and these are judged as rpc/tls.h judges certificates. After that bytes
 * pass unchanged: the stream that comes out is the one that went in.
 *
 *   client                                  server
 *   ClientHello (SNI, ALPN)        ->
 *                                  <-       record: CA, names, chosen ALPN
 *   record: CA, names              ->
 *   (client is done)                        (server is done)
 *
 * Either side may answer with an alert and close instead. As in TLS 1.3 a
 * client is done before the server has judged it.
 * Threads: one loop per object.
 */
#ifndef RPC_SIM_SECURE_H
#define RPC_SIM_SECURE_H

#include "rpc/error.h"
#include "rpc/secure.h"

struct rpc_sim_secure;

/** Everything is copied. */
struct rpc_sim_secure_config {
    const char *ca;           /* another word is another CA */
    const char *const *names; /* our certificate's DNS names, NULL at the end;
                                 NULL: no certificate */
    bool verify_incoming;     /* as in struct rpc_tls_config */
    bool verify_outgoing;
};

/** RPC_EINVAL if a name or the CA is longer than 253 bytes, or there are more
 * than RPC_NAMES_MAX names. */
int rpc_sim_secure_new(struct base_env *env,
                       const struct rpc_sim_secure_config *config,
                       struct rpc_sim_secure **out);
void rpc_sim_secure_free(struct rpc_sim_secure *secure);
/** The table over it; lives as long as secure. */
struct rpc_secure rpc_sim_secure_table(struct rpc_sim_secure *secure);

#endif
