/*
 * The gossip transport that goes through gateways: one transport table wrapped
 * around another. Peers of our datacenter are reached as before; a peer named
 * <node>.<dc> of another one by length-prefixed packets on reused TLS
 * connections, and by one connection a stream. Source: federation.md section 5.
 * Threads: the gossip loop.
 */
#ifndef WANFED_TRANSPORT_H
#define WANFED_TRANSPORT_H

#include "gossip/memberlist.h"
#include "gossip/transport.h"
#include "rpc/dialer.h"

#define WANFED_PACKET_BYTES_MAX (4u * 1024u * 1024u)

struct wanfed_transport;

struct wanfed_config {
    const char *datacenter;            /* ours; copied */
    struct gossip_transport inner;     /* for peers of our datacenter */
    struct rpc_dialer *dialer;         /* of the same loop */
    uint32_t dial_timeout_ms;          /* 0: 10,000 */
    uint32_t idle_timeout_ms;          /* packet connections; 0: 120,000 */
    uint32_t queue_packets_max;        /* a peer; 0: 512, oldest dropped */
    uint32_t queue_bytes_max;          /* a peer; 0: 1 MiB */
    uint32_t peers_max;                /* queues held; 0: 4,096 */
};

int wanfed_transport_new(struct base_env *env,
                         const struct wanfed_config *config,
                         struct wanfed_transport **out);
void wanfed_transport_free(struct wanfed_transport *transport);
/** The table to give to gossip. */
struct gossip_transport wanfed_transport_ops(struct wanfed_transport *transport);
/** Where incoming packets and streams go. */
void wanfed_transport_attach(struct wanfed_transport *transport,
                             struct gossip_memberlist *memberlist);

/* What the server port accepted, already attached to this loop (given). */
void wanfed_accept_packets(struct wanfed_transport *transport,
                           struct base_stream *stream,
                           const struct rpc_peer *peer);
void wanfed_accept_stream(struct wanfed_transport *transport,
                          struct base_stream *stream,
                          const struct rpc_peer *peer);

/** Splits "<node>.<dc>"; false unless it has exactly two labels, neither
 * empty. Outputs are of 64 bytes. */
bool wanfed_name_split(const char *name, char node[64], char dc[64]);

#endif
