/*
 * How long the agent's certificate still holds: the gauge
 * isthmus.agent.tls.cert.expiry in seconds, and from 30 days before the end a
 * warning each day. A federation whose certificates end is dark at once, and
 * everywhere.
 * Threads: the main loop.
 */
#ifndef AGENT_CERTIFICATE_AGE_H
#define AGENT_CERTIFICATE_AGE_H

#include "base/env.h"
#include "rpc/tls.h"

#define CERTIFICATE_WARN_S (30 * 24 * 3600)

struct certificate_age {
    struct base_env *env;
    const struct rpc_tls *tls;
    struct base_log log;
    struct base_timer timer;
    int64_t warned_s; /* when; 0: never */
};

/** Looks now, and then each minute. */
void certificate_age_start(struct certificate_age *age, struct base_env *env,
                           const struct rpc_tls *tls);
/** The certificate was read anew: looks now. */
void certificate_age_renew(struct certificate_age *age);
void certificate_age_stop(struct certificate_age *age);

#endif
