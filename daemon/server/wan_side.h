/*
 * What carries the WAN pool on the gossip loop: a dialler of that loop with a
 * picker of its own, and libwanfed around plain UDP and TCP. Connections that
 * the server port accepted on the main loop move over here.
 * Threads: as each function says; new and free while neither loop runs.
 */
#ifndef SERVER_WAN_SIDE_H
#define SERVER_WAN_SIDE_H

#include "fedstate/locator.h"
#include "gossip/transport.h"
#include "rpc/dialer.h"
#include "rpc/protocol.h"
#include "rpc/secure.h"

struct wan_side;
struct server;
struct gossip_memberlist;

/** Binds the WAN gossip port. */
int wan_side_new(struct server *server, struct wan_side **out);
void wan_side_free(struct wan_side *side);
struct gossip_transport wan_side_transport(struct wan_side *side);
void wan_side_attach(struct wan_side *side, struct gossip_memberlist *memberlist);
/** Gossip loop: a member came to life; a connection to it is opened soon. */
void wan_side_warm(struct wan_side *side, const char *name);
/** Main loop: new routes for the gossip loop's picker. */
void wan_side_routes(struct wan_side *side,
                     const struct fedstate_routes *routes);
/** Main loop: connections of the gossip loop leave gateways that are no way by
 * these routes. */
void wan_side_renew(struct wan_side *side,
                    const struct fedstate_routes *routes);
/** Main loop, for rpc_listener_handle(): arg is the side. */
void wan_side_accept_packets(void *arg, struct base_stream *stream,
                             const struct rpc_peer *peer);
void wan_side_accept_stream(void *arg, struct base_stream *stream,
                            const struct rpc_peer *peer);

/** For rpc_is_way_fn; arg is a struct wan_ways. */
struct wan_ways {
    const char *datacenter; /* our own */
    const struct fedstate_routes *routes;
};
bool wan_side_is_way(void *arg, const char *dc,
                     const struct base_addr *gateway);

/** rpc_gateway_ops on a picker, for both loops' diallers. */
extern const struct rpc_gateway_ops wan_side_gateway_ops;

#endif
