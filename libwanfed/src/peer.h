/*
 * One peer of another datacenter: its queue and its one connection.
 *
 *            packet, or warmed    opened
 *   IDLE  ------------> DIALING ----------> UP ---- idle, or an end after
 *    ^ ^                 |   ^               |      a good while ---> IDLE
 *    | |          failed |   | timer         | early end
 *    | |                 v   |               |
 *    | +--- nobody ---- DOWN <---------------+
 *    |      sends
 *    +---- gossip doubts the peer (from UP)
 *
 * While it is down, packets are refused with GOSSIP_EROUTE, so that a probe
 * fails at once (F13), and the dial is tried again with a growing pause.
 */
#ifndef WANFED_PEER_H
#define WANFED_PEER_H

#include <uthash.h>

#include "internal.h"
#include "queue.h"

enum wanfed_peer_state {
    WANFED_PEER_IDLE,
    WANFED_PEER_DIALING,
    WANFED_PEER_UP,
    WANFED_PEER_DOWN
};

struct wanfed_peer {
    struct wanfed_transport *transport;
    UT_hash_handle hh;
    char key[WANFED_NAME_BYTES];  /* lower case */
    char name[WANFED_NAME_BYTES]; /* as gossip writes it */
    char node[64], dc[64];

    enum wanfed_peer_state state;
    bool refusing; /* the last dial failed: also while the next is tried */
    struct wanfed_queue queue;
    struct rpc_dial *dial;      /* DIALING */
    struct base_stream *stream; /* UP */
    struct base_timer timer;    /* UP: writes what waits; else: dials */
    uint32_t failures;          /* in a row */
    uint64_t opened_ms;
    uint64_t asked_ms; /* a packet came, sent or refused; or it was warmed */
};

struct wanfed_peer *wanfed_peer_new(struct wanfed_transport *transport,
                                    const char *key, const char *name,
                                    const char *node, const char *dc);
void wanfed_peer_free(struct wanfed_peer *peer);
int wanfed_peer_send(struct wanfed_peer *peer, const void *data, size_t len);
/** Closes its connection in good order: the next packet dials, at once if it
 * waits already. */
void wanfed_peer_hang_up(struct wanfed_peer *peer);
/** Idle, it dials soon, so that the first packet finds a connection. */
void wanfed_peer_warm(struct wanfed_peer *peer);
/** If it waits to dial again: now. */
void wanfed_peer_retry(struct wanfed_peer *peer);

#endif
