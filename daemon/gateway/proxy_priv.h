/*
 * What the two halves of the proxy share: proxy.c has listeners, limits and
 * numbers, proxy_conn.c the way of one connection.
 */
#ifndef GATEWAY_PROXY_PRIV_H
#define GATEWAY_PROXY_PRIV_H

#include <sys/queue.h>

#include "gateway/proxy.h"
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
    X(PROXY_CROWDED_OUT, "crowded_out") /* silent while others came */

enum proxy_refused {
#define X(name, label) name,
    PROXY_REFUSED_MAP(X)
#undef X
        PROXY_REFUSED_COUNT
};

enum { ROUTE_CONNECTIONS, ROUTE_BYTES_IN, ROUTE_BYTES_OUT };

/* Those whose hello is not there yet, and all others. */
TAILQ_HEAD(proxy_conns, proxy_conn);

struct proxy {
    struct proxy_config config; /* with its defaults filled in */
    struct base_env *env;
    struct base_net *net;
    struct base_log log;
    struct base_listener *listeners[PROXY_LISTENERS_MAX];
    struct routes *routes;
    struct targets *targets;
    struct source_limit *sources;
    struct proxy_conns waiting; /* in the order in which they came */
    struct proxy_conns going;
    size_t conn_count;

    struct series *names;
    struct series *rows;
    struct series *dials_failed;
    struct base_counter *ended[RELAY_IDLE + 1];
    struct base_gauge *open;
    struct {
        struct base_counter *counter;
        struct base_log_limit limit; /* one flood must not hide the others */
    } refused[PROXY_REFUSED_COUNT];
};

/** Counts, and logs at a bounded rate. name may be NULL. */
void proxy_refuse(struct proxy *proxy, enum proxy_refused reason,
                  const struct base_addr *from, const char *name);

/** A new connection (given), counted in both limits. */
void proxy_conn_open(struct proxy *proxy, struct base_stream *client);
/** Ends it at once, without counting why. */
void proxy_conn_free(struct proxy_conn *conn);
/** Ends it as refused. */
void proxy_conn_refuse(struct proxy_conn *conn, enum proxy_refused reason);
/** It counts no more. Called by proxy_conn_free(). */
void proxy_left(struct proxy *proxy, const struct base_addr *from);

#endif
