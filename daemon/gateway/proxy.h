/*
 * The heart of the gateway: accepts connections, reads the server name of the
 * TLS hello, finds the row for it, dials one of its targets, and then passes
 * bytes both ways, hello first, untouched. A gateway process has one a worker
 * (workers.h); in the simulator it runs on virtual hosts.
 *
 * What is refused (closed, counted by reason, logged at a bounded rate): no
 * TLS, no name, a name without a route, a hello that is broken, over 16 KiB or
 * slower than its deadline, no target that answers, too many connections.
 * Source: federation.md section 11.
 *
 * Counters:
 *   isthmus.gateway.connections{sni}           joined to a target, by name
 *   isthmus.gateway.route.connections{route}   the same, by row
 *   isthmus.gateway.route.bytes_in{route}      from clients
 *   isthmus.gateway.route.bytes_out{route}     to clients
 *   isthmus.gateway.target.connections{target} and bytes: by address dialled
 *   isthmus.gateway.hello_bytes                of hellos that named a server
 *   isthmus.gateway.refused{reason}
 *   isthmus.gateway.dial_failed{route}         single dials; another may follow
 *   isthmus.gateway.ended{reason}              finished, broken, idle, silent,
 *                                              drained
 *   isthmus.gateway.open                       gauge
 * Names get counters of their own up to 1,024, rows and targets up to 512;
 * further ones share those labelled "other".
 * Threads: the loop of env.
 */
#ifndef GATEWAY_PROXY_H
#define GATEWAY_PROXY_H

#include "base/net.h"
#include "gateway/routes.h"

#define PROXY_LISTENERS_MAX 2

struct access_log;
struct base_loop;
struct proxy_shared;
struct splicer;

/** Numbers that are 0 take the default in brackets. */
struct proxy_config {
    struct base_env *env;
    struct base_net *net;
    struct base_addr listen[PROXY_LISTENERS_MAX]; /* family 0: not used */
    /* In a gateway process: sockets that listen already (given), in place of
     * listen; -1: not used. NULL in the simulator. */
    struct base_loop *loop;
    int fds[PROXY_LISTENERS_MAX];
    /* What it shares with others; borrowed. NULL: it makes its own, with the
     * two limits below. */
    struct proxy_shared *shared;
    /* The local address of what it dials, so that others see only addresses of
     * gateways between datacenters; family 0: any. */
    struct base_addr from_lan; /* to local servers */
    struct base_addr from_wan; /* to other datacenters' gateways */
    uint32_t hello_timeout_ms; /* for the whole hello (5,000) */
    uint32_t dial_timeout_ms;  /* for one dial (5,000); a fourth of it while
                                  another target is left to be tried */
    uint32_t answer_ms;        /* for the target's first byte (15,000): the way
                                  through another gateway has dials of its own */
    uint32_t idle_ms;          /* no byte either way (900,000): longer than any
                                  blocking query may wait */
    uint32_t half_idle_ms;     /* the same, after one side's end (60,000) */
    /* Joins TCP streams in the kernel; borrowed. NULL: bytes are copied, as the
     * simulator's have to be. */
    struct splicer *splicer;
    /* PROXY protocol (proxy_protocol.h): connections from the first must begin
     * with a header, those to targets in the second get one. Borrowed. */
    const struct base_cidr *header_from, *header_to;
    size_t header_from_count, header_to_count;
    struct access_log *access_log; /* borrowed; NULL: none */
    /* When this many are open, one that waits for its hello the longest is
     * closed in favour of a new one; if none waits, the new one is (4,096). */
    size_t connections_max;
    size_t per_source_max; /* of one IP; behind another gateway all foreign
                              traffic has one (2,048) */
};

struct proxy;

/** Listens, with no routes yet. On an error (of base_net_listen) *failed, if
 * not NULL, is the place in listen. */
int proxy_new(const struct proxy_config *config, struct proxy **out,
              size_t *failed);
/** Closes all. */
void proxy_free(struct proxy *proxy);
/** Takes routes (given) in place of those before. Connections live on; those
 * that are being made look their name up again before a next dial. */
void proxy_set_routes(struct proxy *proxy, struct routes *routes);
/** Those that it has; NULL before the first. Borrowed until the next. */
const struct routes *proxy_routes(const struct proxy *proxy);
/**
 * Listens no more. What has come lives on; done comes once, from the loop, when
 * the last of it has ended.
 * passed_on  another process has the same sockets: what waits in their queues
 *            is left to it. If not, it is accepted first.
 */
void proxy_drain(struct proxy *proxy, bool passed_on, void (*done)(void *arg),
                 void *arg);
/** Closes all connections that are left, those that are not joined yet as
 * refused. */
void proxy_end(struct proxy *proxy);
/** The address of a listener, with its port; family 0 if not used. */
void proxy_addr(const struct proxy *proxy, size_t listener,
                struct base_addr *out);
/** Connections that are open, whatever they wait for. */
size_t proxy_count(const struct proxy *proxy);

#endif
