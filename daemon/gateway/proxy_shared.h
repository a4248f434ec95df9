/*
 * What all workers of a gateway share: whom to dial, how many are there of
 * whom, and the numbers. Each worker has a proxy of its own (proxy.h), which
 * alone touches its connections.
 * Threads: any.
 */
#ifndef GATEWAY_PROXY_SHARED_H
#define GATEWAY_PROXY_SHARED_H

#include <stdatomic.h>

#include "gateway/relay.h"
#include "gateway/series.h"
#include "gateway/source_limit.h"
#include "gateway/targets.h"

/* X(name, label) */
#define PROXY_REFUSED_MAP(X)                                                   \
    X(PROXY_NOT_TLS, "not_tls")                                                \
    X(PROXY_NO_SNI, "no_sni")                                                  \
    X(PROXY_MALFORMED, "malformed") /* or over 16 KiB */                       \
    X(PROXY_SLOW, "slow")                                                      \
    X(PROXY_CLOSED, "closed") /* before its target answered */                 \
    X(PROXY_NO_ROUTE, "no_route")                                              \
    X(PROXY_NO_TARGET, "no_target")     /* known, but nobody is there */       \
    X(PROXY_DIAL_FAILED, "dial_failed") /* all that were tried */              \
    X(PROXY_LIMIT, "limit")                                                    \
    X(PROXY_LIMIT_SOURCE, "limit_source")                                      \
    X(PROXY_CROWDED_OUT, "crowded_out") /* silent while others came */         \
    X(PROXY_BAD_HEADER, "proxy_header") /* a trusted source without one */     \
    X(PROXY_DRAINED, "drained")         /* not joined when the drain ended */

enum proxy_refused {
#define X(name, label) name,
    PROXY_REFUSED_MAP(X)
#undef X
        PROXY_REFUSED_COUNT
};

/** The label of a reason, in the counters and the access log. */
const char *proxy_refused_label(enum proxy_refused reason);
const char *proxy_ended_label(enum relay_end_reason reason);

/* Of rows and targets. */
enum { SERIES_CONNECTIONS, SERIES_BYTES_IN, SERIES_BYTES_OUT };

struct proxy_shared {
    size_t connections_max;
    atomic_size_t conn_count;
    struct targets *targets;
    struct source_limit *sources;
    struct series *names;
    struct series *rows;
    struct series *dialled; /* by target */
    struct series *dials_failed;
    struct base_counter *ended[RELAY_REASONS];
    struct base_counter *refused[PROXY_REFUSED_COUNT];
    struct base_counter *hello_bytes;
    struct base_gauge *open;
};

struct proxy_shared *proxy_shared_new(struct base_metrics *metrics,
                                      size_t connections_max,
                                      size_t per_source_max);
/** After all proxies. */
void proxy_shared_free(struct proxy_shared *shared);

#endif
