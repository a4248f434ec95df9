/*
 * What the two halves of the proxy share: proxy.c has listeners, limits and
 * numbers, proxy_conn.c the way of one connection.
 */
#ifndef GATEWAY_PROXY_PRIV_H
#define GATEWAY_PROXY_PRIV_H

#include <sys/queue.h>

#include "gateway/proxy.h"
#include "gateway/proxy_shared.h"

#define PROXY_TRIES_MAX 4 /* dials for one connection */

/* One connection. It waits for its hello, then for a target to answer, then it
 * is a relay, in the kernel where that can be. */
struct proxy_conn {
    TAILQ_ENTRY(proxy_conn) link;
    struct proxy *proxy;
    struct base_addr from; /* the client: behind a trusted proxy, its client */
    struct base_addr to;   /* where it came to */
    uint64_t came_ms;
    bool waiting;               /* for its hello */
    bool needs_header;          /* PROXY protocol, before the hello */
    bool counted;               /* in the limit of its source */
    struct base_stream *client; /* NULL once the relay has it */
    struct base_dial *dial;
    struct relay *relay;   /* of these two at most one is there */
    struct splice *splice;
    struct target *target; /* held */
    struct base_addr tried[PROXY_TRIES_MAX];
    size_t tried_count;
    char name[254];
};

/* Those whose hello is not there yet, and all others. */
TAILQ_HEAD(proxy_conns, proxy_conn);

struct proxy {
    struct proxy_config config; /* with its defaults filled in */
    struct base_env *env;
    struct base_net *net;
    struct base_log log;
    struct base_listener *listeners[PROXY_LISTENERS_MAX];
    struct routes *routes;
    struct proxy_shared *shared;
    bool owns_shared;
    struct proxy_conns waiting; /* in the order in which they came */
    struct proxy_conns going;
    struct base_timer hello_timer; /* for the first of waiting */
    size_t conn_count;
    struct base_timer drained_timer; /* tells drained, soon */
    void (*drained)(void *arg);
    void *drained_arg;
    /* A reason each: one flood must not hide the others. */
    struct base_log_limit refused_limits[PROXY_REFUSED_COUNT];
};

/** Counts, and logs at a bounded rate. name may be NULL. */
void proxy_refuse(struct proxy *proxy, enum proxy_refused reason,
                  const struct base_addr *from, const char *name);

/** A new connection (given), counted in the limit of all, and in that of its
 * source unless it needs a header. */
void proxy_conn_open(struct proxy *proxy, struct base_stream *client,
                     bool needs_header);
/** Ends it at once, without counting why. */
void proxy_conn_free(struct proxy_conn *conn);
/** Ends it as refused. */
void proxy_conn_refuse(struct proxy_conn *conn, enum proxy_refused reason);
/** Ends one that no longer waits for its hello, joined or not, for the drain
 * is over. */
void proxy_conn_end(struct proxy_conn *conn);
/** It counts no more. Called by proxy_conn_free(). */
void proxy_left(struct proxy *proxy);
/** A connection waits for its hello: its deadline runs. */
void proxy_wait(struct proxy *proxy);

#endif
