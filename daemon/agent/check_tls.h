/*
 * TLS for https checks: made when the first one needs it, since most agents
 * have none. Certificates are checked with the agent's own authority, or with
 * those of the system if it has none; ours is never shown.
 * Threads: the main loop.
 */
#ifndef AGENT_CHECK_TLS_H
#define AGENT_CHECK_TLS_H

#include "rpc/tls.h"

/** Zero-initialise it, but for env and ca_file (borrowed; NULL: the system's). */
struct check_tls {
    struct base_env *env;
    const char *ca_file;
    struct rpc_tls *made[2]; /* verifying or not */
    struct rpc_secure secure[2];
};

/** ctx is a struct check_tls. NULL, and why in the log, if it cannot be. */
const struct rpc_secure *check_tls_get(void *ctx, bool verify);
void check_tls_close(struct check_tls *tls);

#endif
