/*
 * A small federation in virtual time: servers with real server ports, dialers
 * and gossip, in datacenters that share no path but their gateways. A gateway
 * is a relay by SNI that can be made to misbehave.
 */
#ifndef TESTS_WANFED_FED_H
#define TESTS_WANFED_FED_H

#include <check.h>

#include "base/metrics.h"
#include "base/sim.h"
#include "gossip/memberlist.h"
#include "gossip/net_transport.h"
#include "rpc/listener.h"
#include "rpc/sim_secure.h"
#include "wanfed/transport.h"

#define FED_SERVERS_MAX 8
#define FED_GATEWAYS_MAX 4

struct fed;

enum fed_gateway_mode {
    FED_ROUTES,
    FED_RESETS,  /* closes what it accepts */
    FED_HOLDS,   /* accepts and says nothing */
    FED_STALLS   /* relays no byte any more, and shows no end */
};

struct fed_gateway {
    struct fed *fed;
    struct base_sim_host *host;
    struct base_net *net;
    struct base_addr addr;
    struct base_listener *listener;
    enum fed_gateway_mode mode;
    unsigned accepted;
    struct fed_relay *relays;
};

struct fed_server {
    struct fed *fed;
    const char *name; /* "s1.dc1" */
    char node[64], dc[64];
    struct base_sim_host *host;
    struct base_env *env;
    struct base_net *net;
    struct base_metrics *metrics;
    struct base_addr addr; /* port 0 */
    struct rpc_sim_secure *secure;
    struct rpc_secure table;
    struct rpc_listener *listener;
    struct rpc_dialer *dialer;
    struct fed_gateway *gateway; /* to use for other datacenters; NULL: none */
    struct fed_gateway *second;  /* for who avoids that one; NULL: the same */
    unsigned picks, reports_failed;
    struct gossip_net_transport *inner;
    struct wanfed_transport *wan;
    struct gossip_memberlist *memberlist;

    /* Without gossip: what came in on packet connections, raw. */
    struct base_stream *sink;
    struct base_buf sunk;
    unsigned sinks; /* connections so far */
    bool sink_closed;
};

struct fed {
    struct base_sim *sim;
    struct fed_server servers[FED_SERVERS_MAX];
    size_t server_count;
    struct fed_gateway gateways[FED_GATEWAYS_MAX];
    size_t gateway_count;
};

void fed_open(struct fed *fed);
void fed_close(struct fed *fed);
struct fed_gateway *fed_add_gateway(struct fed *fed, const char *ip);
/** Connections through it end. */
void fed_gateway_cut(struct fed_gateway *gateway);
void fed_gateway_crash(struct fed_gateway *gateway);

enum { FED_GOSSIPS = 1 }; /* else its packets go into the sink */
/** config's limits are used; the rest is filled in. */
struct fed_server *fed_add_server(struct fed *fed, const char *name,
                                  const char *ip, struct fed_gateway *gateway,
                                  unsigned flags,
                                  const struct wanfed_config *limits);
/** Its machine is gone. */
void fed_server_crash(struct fed_server *server);

void fed_run_ms(struct fed *fed, uint64_t ms);
uint64_t fed_counter(const struct fed_server *server, const char *name,
                     const char *key, const char *value);
/** Sends a packet of text to a WAN name. */
int fed_send(struct fed_server *from, const char *to, const char *text);
/** What was sunk as "one|two|..."; the caller's (base_free). Empties it. */
char *fed_sunk(struct fed_server *server);
/** The state of a member as a server sees it; -1: unknown. */
int fed_sees(struct fed_server *server, const char *name);

#endif
