/*
 * A node that links libgossip alone and does what a test tells it, for what
 * the daemon does not show: odd keys and labels, queries with every option,
 * lost acks, snapshots.
 *
 *   gossip-peer '{"name": "x", "bind": "127.31.1.2:7946", ...}'
 * The settings are in gossip_peer.c, the commands in gossip_peer_commands.c:
 * one JSON object a line on standard input, {"id": 1, "do": "join", ...}; each
 * is answered with one line that has the same id. What the pool tells comes in
 * between as lines with "event". The end of input ends it, without a goodbye.
 */
#ifndef TESTS_INTEROP_GOSSIP_PEER_H
#define TESTS_INTEROP_GOSSIP_PEER_H

#include <jansson.h>

#include "base/loop.h"
#include "base/metrics.h"
#include "gossip/net_transport.h"
#include "gossip/serf.h"

#define PEER_TAGS_MAX 32

struct peer {
    struct base_loop *loop;
    struct base_metrics *metrics;
    struct gossip_net_transport *transport;
    struct gossip_keyring *keyring;
    struct gossip_serf *serf;
    json_t *settings;
};

/** Writes a line; takes the object. */
void peer_say(json_t *object);
/** Does one command, and answers it now or later. */
void peer_do(struct peer *peer, json_t *command);
/** {"a": "b"} as tags that borrow its strings; returns how many. */
size_t peer_tags(json_t *object, struct gossip_tag tags[PEER_TAGS_MAX]);
/** The member as others see it: addr, status, tags, vsn. */
json_t *peer_member(const struct gossip_member *member);

#endif
