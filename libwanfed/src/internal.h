/* The transport's insides, shared by its files. */
#ifndef WANFED_INTERNAL_H
#define WANFED_INTERNAL_H

#include <sys/queue.h>

#include "base/metrics.h"
#include "wanfed/transport.h"

#define WANFED_NAME_BYTES 128 /* two labels, a dot, and the end */

struct wanfed_peer;
struct wanfed_inlet;
struct wanfed_dial;

/* Every packet that does not leave is counted under the reason why. */
struct wanfed_counters {
    struct base_counter *sent;
    struct base_counter *dropped_full;   /* the peer's queue: oldest dropped */
    struct base_counter *dropped_failed; /* waited for a dial that failed */
    struct base_counter *refused_down;   /* the peer cannot be reached now */
    struct base_counter *refused_name;   /* not <node>.<dc> */
    struct base_counter *refused_size;
    struct base_counter *refused_peers;  /* the table of peers is full */
    struct base_counter *dials_ok, *dials_failed;
    struct base_counter *closed_early;   /* soon after the handshake */
    struct base_counter *closed_doubted; /* gossip suspects the peer */
    struct base_counter *received;
    struct base_counter *bad_frames;
    struct base_counter *inlets_refused;
    struct base_gauge *peers, *inlets;
};

struct wanfed_transport {
    struct base_env *env;
    struct wanfed_config config; /* defaults filled in */
    char *datacenter;
    struct base_log log;
    struct base_log_limit log_limit;
    struct gossip_memberlist *memberlist; /* NULL until attached */
    struct wanfed_counters counters;
    struct base_timer sweep; /* each second while there is anything to check */

    struct wanfed_peer *peers; /* a uthash by name in lower case */
    size_t peer_count;
    size_t queued_bytes; /* of all peers */

    LIST_HEAD(, wanfed_inlet) inlets;
    size_t inlet_count;
    size_t large_count; /* inlets that hold a large frame */

    LIST_HEAD(, wanfed_dial) dials;
};

/* transport.c */
void wanfed_need_sweep(struct wanfed_transport *transport);

/* peers.c: who packets go to. */

/** Queues a packet to a peer of another datacenter. 0, BASE_EFULL,
 * GOSSIP_ETOOBIG, or GOSSIP_EROUTE. */
int wanfed_peers_send(struct wanfed_transport *transport, const char *name,
                      const char *node, const char *dc, const void *data,
                      size_t len);
/** Once a second: idle and doubted connections close, unused peers go. */
void wanfed_peers_sweep(struct wanfed_transport *transport);
/** The server of that name (lower case) opened a connection to us, so there is
 * a way between us now. again: while we still held one from it. A peer keeps
 * only one, so it has left the other, which failed without a sign; ours to it
 * is renewed too, so that answers find the new way before gossip suspects
 * it. */
void wanfed_peers_heard(struct wanfed_transport *transport, const char *key,
                        bool again);
/** The gateway that packets to a peer go through now; false: none. */
bool wanfed_peers_gateway(struct wanfed_transport *transport, const char *name,
                          struct base_addr *out);
/** Opens a connection soon, where there is none. BASE_EFULL. */
int wanfed_peers_warm(struct wanfed_transport *transport, const char *name,
                      const char *node, const char *dc);
/** Those that wait to dial again do it now. */
void wanfed_peers_retry(struct wanfed_transport *transport);
/** Those with a connection through a gateway that is a way no more hang up. */
void wanfed_peers_renew(struct wanfed_transport *transport,
                        rpc_is_way_fn is_way, void *arg);
void wanfed_peers_close(struct wanfed_transport *transport);

/* ingest.c: what other datacenters send. */
void wanfed_inlets_sweep(struct wanfed_transport *transport);
void wanfed_inlets_close(struct wanfed_transport *transport);

/* dials.c: streams. */
int wanfed_dial_stream(void *ctx, const struct gossip_peer *to,
                       uint32_t timeout_ms, gossip_stream_fn done, void *arg,
                       struct gossip_dial **out);
void wanfed_dial_cancel(void *ctx, struct gossip_dial *dial);
void wanfed_dials_close(struct wanfed_transport *transport);

#endif
