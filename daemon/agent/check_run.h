/*
 * Runs a TCP or HTTP check again and again, and reports each result: a status
 * and a line of output. An HTTP answer of 2xx is passing, 429 is a warning,
 * anything else, or none in time, is critical; a TCP connection is passing. The
 * first run comes within the interval, at random, so that many checks that
 * begin together do not run together.
 * Threads: the loop of env.
 */
#ifndef AGENT_CHECK_RUN_H
#define AGENT_CHECK_RUN_H

#include "agent/check_spec.h"
#include "base/net.h"
#include "rpc/secure.h"

#define CHECK_BODY_BYTES_MAX 4096u /* of an answer; the rest is not read */

struct check_run;

struct check_run_config {
    struct base_env *env;
    struct base_net *net;
    const struct rpc_secure *tls;  /* of https; NULL: such a check fails */
    const struct check_spec *spec; /* outlives it */
    /** status is "passing", "warning" or "critical". May free the run. */
    void (*report)(void *ctx, const char *status, const char *output);
    void *ctx;
};

struct check_run *check_run_new(const struct check_run_config *config);
/** No report comes any more. */
void check_run_free(struct check_run *run);

#endif
