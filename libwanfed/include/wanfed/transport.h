/*
 * The gossip transport that goes through gateways: one transport table wrapped
 * around another. Peers of our datacenter are reached as before; a peer named
 * <node>.<dc> of another one by length-prefixed packets on reused TLS
 * connections, and by one connection a stream. Source: federation.md section 5.
 *
 * Packets never wait for anything: each peer has a queue of its own, and a dial
 * goes on beside it. That is why a failure cannot be the answer to the packet
 * that met it. Instead, once a dial or handshake to a peer has failed, or its
 * connection ended right after the handshake, packets to that peer are refused
 * with GOSSIP_EROUTE, so that a probe fails at once (F13), until a dial
 * succeeds: tried again after 0.5 s doubling to 8 s, for as long as somebody
 * wants to send (30 s after the last packet the peer is forgotten to be down).
 *
 * A connection whose peer gossip suspects since it was opened is closed, since
 * a void swallows packets without a sign; the next packet dials anew. So is one
 * to a server that opens a second one to us, since it has left the first.
 *
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
    uint32_t inlets_max;               /* accepted connections; 0: 4,096 */
};

/** The dialer and what inner needs outlive the transport; the transport
 * outlives the gossip node that uses it. GOSSIP_EINVAL: no datacenter, inner or
 * dialer. */
int wanfed_transport_new(struct base_env *env,
                         const struct wanfed_config *config,
                         struct wanfed_transport **out);
/** Closes all connections; free the gossip node before. Dials under way end
 * without their done. */
void wanfed_transport_free(struct wanfed_transport *transport);
/**
 * The table to give to gossip. send_packet gives, but for what the inner one
 * gives: 0 (queued), GOSSIP_EROUTE (the peer is down), GOSSIP_ENAME (its name
 * is not <node>.<dc>), GOSSIP_ETOOBIG, BASE_EFULL (too many peers, or 64 MiB
 * wait in all). dial_stream: GOSSIP_ENAME, or what rpc_dialer_dial() gives. A
 * peer named "*.<dc>" is any server of that datacenter. Stream pings are not
 * wanted towards other datacenters.
 */
struct gossip_transport wanfed_transport_ops(struct wanfed_transport *transport);
/** Where incoming packets and streams go. */
void wanfed_transport_attach(struct wanfed_transport *transport,
                             struct gossip_memberlist *memberlist);

/** A member of another datacenter came to life: a connection for packets to it
 * is opened within a second (in a pool of hundreds, a few), so that its first
 * probe meets no handshake. One that ends later is dialled by the next packet.
 * Names of our own datacenter, and what is no WAN name, are passed over. */
void wanfed_transport_warm(struct wanfed_transport *transport,
                           const char *name);
/** Peers that are down are dialled now: routes have changed. */
void wanfed_transport_retry(struct wanfed_transport *transport);
/** Connections for packets whose gateway is a way no more are closed; the next
 * packet dials anew. is_way is called before this returns, and must not call
 * back into the transport. */
void wanfed_transport_renew(struct wanfed_transport *transport,
                            rpc_is_way_fn is_way, void *arg);

/* What the server port accepted, already attached to this loop (given). */
void wanfed_accept_packets(struct wanfed_transport *transport,
                           struct base_stream *stream,
                           const struct rpc_peer *peer);
void wanfed_accept_stream(struct wanfed_transport *transport,
                          struct base_stream *stream,
                          const struct rpc_peer *peer);

/** Splits "<node>.<dc>"; false unless it has exactly two labels, each of 1 to
 * 63 letters, digits, '-' or '_'. The node may be "*". Outputs are of 64
 * bytes. */
bool wanfed_name_split(const char *name, char node[64], char dc[64]);

#endif
