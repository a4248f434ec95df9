/*
 * What listener.c (the order of things, limits, the type byte) and
 * listener_tls.c (handshakes, one after the other) share.
 */
#ifndef RPC_SRC_LISTENER_PRIV_H
#define RPC_SRC_LISTENER_PRIV_H

#include <sys/queue.h>

#include "base/log.h"
#include "rpc/listener.h"
#include "sniff.h"

/* The longest there first. */
struct opening_list {
    TAILQ_HEAD(openings, opening) list;
    uint32_t count;
};

struct handler {
    rpc_accept_fn accept;
    void *arg;
};

struct rpc_listener {
    struct base_env *env;
    struct base_net *net;
    struct base_log_limit log_limit;
    struct base_listener *socket;
    char *datacenter;
    char *domain;
    const struct rpc_secure *secure;
    struct rpc_sniff_rules rules;
    uint32_t handshake_timeout_ms;
    uint32_t handshakes_max;
    struct rpc_rate *rate;
    struct rpc_name_limit *names;
    struct handler handlers[RPC_PROTOCOL_COUNT];
    struct opening_list waiting; /* for a type byte */
    struct opening_list shaking; /* TLS has them, or will in their turn */
    struct opening_list passing; /* to be handed over from the loop */
    struct base_timer turnstile; /* zero: the next handshake begins */
};

struct opening {
    TAILQ_ENTRY(opening) link;
    struct opening_list *in;
    struct rpc_listener *listener;
    struct base_stream *stream;            /* NULL while TLS has it */
    struct rpc_handshake *handshake;       /* NULL unless TLS has the stream */
    struct base_timer timer;               /* deadline, or zero: go on */
    void (*next)(struct opening *opening); /* what the zero timer does */
    bool queued;                           /* for its handshake to begin */
    enum rpc_sniff_place place;
    enum rpc_protocol protocol;
    int byte; /* the last type byte; -1: none came */
    struct rpc_peer peer;
};

/* ---- listener.c ---- */

void opening_free(struct opening *opening);
/** Closes it, counted by reason; why is for a person. */
void opening_refuse(struct opening *opening, const char *reason,
                    const char *why);
void opening_move(struct opening *opening, struct opening_list *list);
/** Who does his part at once never waits long, so a full list is full of those
 * who do not: the one that has waited longest makes room. */
void opening_make_room(struct opening_list *list, uint32_t max,
                       const char *reason);
/** Its protocol is known: it is handed over, if it may speak that. */
void opening_pass(struct opening *opening);
/** A type byte is to come, before or inside TLS. */
void opening_await_byte(struct opening *opening);

/* ---- listener_tls.c ---- */

/** TLS begins in its turn. */
void opening_queue_handshake(struct opening *opening);
void listener_on_turnstile(void *arg);

#endif
