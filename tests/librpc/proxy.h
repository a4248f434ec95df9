/*
 * A gateway for tests: reads the SNI of each connection, connects to where its
 * table says, and passes bytes on, counting them. It can also be told to harm
 * what passes.
 */
#ifndef TESTS_LIBRPC_PROXY_H
#define TESTS_LIBRPC_PROXY_H

#include "world.h"

#define PROXY_ROUTES_MAX 8

struct proxy {
    struct world *world;
    struct base_listener *listener;
    struct base_addr addr;
    struct {
        const char *name; /* NULL: any, or no TLS at all */
        struct base_addr to;
    } routes[PROXY_ROUTES_MAX];
    unsigned route_count;
    unsigned connections;
    char last_name[254]; /* SNI of the last connection */
    uint64_t bytes_up;   /* client to server */
    uint64_t bytes_down;
    uint64_t spoil_at;   /* change the byte after so many up; 0: none */
    struct proxy_conn *conns;
};

struct proxy *proxy_new(struct world *world);
void proxy_route(struct proxy *proxy, const char *name,
                 const struct base_addr *to);
/** Ends all connections towards their servers and clients, orderly by TCP, but
 * with no word of TLS. */
void proxy_cut(struct proxy *proxy);
/** Nothing passes any more on present connections, and nobody is told. */
void proxy_freeze(struct proxy *proxy);
void proxy_free(struct proxy *proxy);

#endif
