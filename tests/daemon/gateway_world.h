/*
 * A small virtual world around one proxy: a client, local servers s1 to s3, and
 * two gateways of another datacenter. Ends note what they hear.
 *
 *   client 10.0.0.1      gateway 10.0.0.9 (LAN), 192.0.2.9 (WAN), port 8443
 *   s1..s3 10.0.0.11..13 port 8300
 *   g1, g2 198.51.100.1, .2 port 8443
 */
#ifndef TESTS_DAEMON_GATEWAY_WORLD_H
#define TESTS_DAEMON_GATEWAY_WORLD_H

#include "base/sim.h"
#include "gateway/proxy.h"

/* One end of a connection. */
struct gw_end {
    struct base_stream *stream; /* NULL before, or closed by us */
    struct base_buf got;
    bool deaf;    /* leaves input where it is */
    bool drained; /* since the flag was last cleared */
    bool closed;
    int close_err;
};

enum gw_host { GW_S1, GW_S2, GW_S3, GW_G1, GW_G2, GW_TARGETS };
#define GW_ENDS_MAX 32

/* A machine that is dialled by the proxy, and what came to it. */
struct gw_target {
    struct base_sim_host *host;
    struct base_net *net;
    struct base_addr addr;
    struct base_listener *listener;
    struct gw_end ends[GW_ENDS_MAX];
    size_t count; /* connections that came */
    bool deaf;    /* what comes from now on */
};

struct gw_world {
    struct base_sim *sim;
    struct base_metrics *metrics;
    struct base_env *env; /* the gateway's */
    struct base_net *net;
    struct base_env *client_env;
    struct base_net *client_net;
    struct gw_target targets[GW_TARGETS];
    struct proxy *proxy;
    struct gw_end clients[GW_ENDS_MAX];
    size_t client_count;
    bool cut[GW_TARGETS]; /* packets to it vanish */
};

/** Everybody listens; the proxy has the routes of gw_routes(). Numbers of
 * config that are not 0 are taken over; config may be NULL. */
void gw_open(struct gw_world *world, const struct proxy_config *config);
/** Frees all, and sees that nothing is left open. */
void gw_close(struct gw_world *world);
/** dc1 with s1 and s2; dc2 behind g1 and g2, dc3 behind nobody. */
struct routes *gw_routes(const struct gw_world *world);
/** dc1 with one server only. */
struct routes *gw_routes_one(const struct gw_world *world, enum gw_host host);

/** A new client, connected to the gateway's LAN address. */
struct gw_end *gw_dial(struct gw_world *world);
/** The same, which sends the hello for a name. */
struct gw_end *gw_dial_name(struct gw_world *world, const char *name);
/** Stops listening, so that dials are refused. */
void gw_kill(struct gw_world *world, enum gw_host host);
void gw_end_send(struct gw_end *end, const void *data, size_t len);
/** A deaf end hears from now on, what waits too. */
void gw_end_listen(struct gw_end *end);
void gw_end_close(struct gw_end *end);
void gw_run_ms(struct gw_world *world, uint64_t ms);

/** A ClientHello in one record; name NULL: without a server name. Returns its
 * length; out has room for 512. */
size_t gw_hello(const char *name, uint8_t *out);
uint64_t gw_refused(const struct gw_world *world, const char *reason);
uint64_t gw_counter(const struct gw_world *world, const char *name,
                    const char *key, const char *value);
struct base_addr gw_addr(const char *text);

#endif
