/*
 * TLS for streams by OpenSSL: 1.2 at least, 1.3 preferred, certificates on both
 * sides, ALPN, SNI. Source: federation.md section 3.
 * Threads: one loop per rpc_tls; give each loop its own.
 */
#ifndef RPC_TLS_H
#define RPC_TLS_H

#include "rpc/error.h"
#include "rpc/secure.h"

struct rpc_tls;

struct rpc_tls_config {
    const char *ca_file;   /* PEM, one or more roots */
    const char *cert_file; /* PEM, leaf first */
    const char *key_file;  /* PEM; must fit the certificate */
    bool verify_incoming;  /* ask clients for a certificate of the CA */
    bool verify_outgoing;  /* check servers against the CA */
};

/** On error *out stays NULL, and why (if not NULL) gets one sentence that names
 * the file and what is wrong with it; the caller frees it (base_free).
 * Reads files: call it before the loop runs, or accept the wait. */
int rpc_tls_new(const struct rpc_tls_config *config, struct base_env *env,
                struct rpc_tls **out, char **why);
void rpc_tls_free(struct rpc_tls *tls);
/** Reads the files again; new handshakes use them, old streams go on. On error
 * the old ones stay in use. Sessions are dropped. */
int rpc_tls_reload(struct rpc_tls *tls, char **why);
/** The table over it; lives as long as tls. */
struct rpc_secure rpc_tls_secure(struct rpc_tls *tls);
/** The DNS names of our own certificate, for start-up checks. */
void rpc_tls_own_names(const struct rpc_tls *tls, struct rpc_peer *out);
/** When our certificate ends, in seconds since 1970. */
int64_t rpc_tls_not_after(const struct rpc_tls *tls);

#endif
