/*
 * The heart of the gateway: accepts connections, reads the server name of the
 * TLS hello, finds the row for it, dials one of its targets, and then passes
 * bytes both ways, hello first, untouched. It has no socket of its own and no
 * libevent: in the simulator it runs on virtual hosts.
 *
 * What is refused (closed, counted by reason, logged at a bounded rate): no
 * TLS, no name, a name without a route, a hello that is broken, over 16 KiB or
 * slower than its deadline, no target that answers, too many connections.
 * Source: federation.md section 11.
 *
 * Counters:
 *   isthmus.gateway.connections{sni}         joined to a target, by name
 *   isthmus.gateway.route.connections{route} the same, by row
 *   isthmus.gateway.route.bytes_in{route}    from clients
 *   isthmus.gateway.route.bytes_out{route}   to clients
 *   isthmus.gateway.refused{reason}
 *   isthmus.gateway.dial_failed{route}       single dials; another may follow
 *   isthmus.gateway.ended{reason}            finished, broken, idle
 *   isthmus.gateway.open                     gauge
 * Names get counters of their own up to 1,024, rows up to 512; further ones
 * share those labelled "other".
 * Threads: the loop of env.
 */
#ifndef GATEWAY_PROXY_H
#define GATEWAY_PROXY_H

#include "base/net.h"
#include "gateway/routes.h"

#define PROXY_LISTENERS_MAX 2

struct splicer;

/** Numbers that are 0 take the default in brackets. */
struct proxy_config {
    struct base_env *env;
    struct base_net *net;
    struct base_addr listen[PROXY_LISTENERS_MAX]; /* family 0: not used */
    /* The local address of what it dials, so that others see only addresses of
     * gateways between datacenters; family 0: any. */
    struct base_addr from_lan; /* to local servers */
    struct base_addr from_wan; /* to other datacenters' gateways */
    uint32_t hello_timeout_ms; /* for the whole hello (5,000) */
    uint32_t dial_timeout_ms;  /* for one dial (5,000); a fourth of it while
                                  another target is left to be tried */
    uint32_t idle_ms;          /* no byte either way (900,000): longer than any
                                  blocking query may wait */
    uint32_t half_idle_ms;     /* the same, after one side's end (60,000) */
    /* When this many are open, one that waits for its hello the longest is
     * closed in favour of a new one; if none waits, the new one is (4,096). */
    size_t connections_max;
    /* Joins TCP streams in the kernel; borrowed. NULL: bytes are copied, as the
     * simulator's have to be. */
    struct splicer *splicer;
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
/** The address of a listener, with its port; family 0 if not used. */
void proxy_addr(const struct proxy *proxy, size_t listener,
                struct base_addr *out);
/** Connections that are open, whatever they wait for. */
size_t proxy_count(const struct proxy *proxy);

#endif
