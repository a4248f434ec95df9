/*
 * Vivaldi network coordinates: where a node seems to be, so that the round trip
 * between two others can be guessed. Each acknowledged probe moves us a little.
 * Source: gossip.md 3.12 (Dabek et al., Vivaldi; with height and adjustment).
 */
#ifndef SERF_COORDINATE_H
#define SERF_COORDINATE_H

#include "base/buf.h"
#include "base/env.h"
#include "gossip/serf.h"

#define SERF_ADJUSTMENT_SLOTS 20
#define SERF_LATENCY_SAMPLES 3

/** What is known of a peer's place. */
struct serf_place {
    struct gossip_coordinate at;
    double samples[SERF_LATENCY_SAMPLES]; /* seconds; the newest overwrites */
    bool known; /* at is set */
    uint8_t sample_count;
    uint8_t sample_next;
};

/** Our own place. */
struct serf_coordinate_client {
    struct gossip_coordinate at;
    double adjustments[SERF_ADJUSTMENT_SLOTS];
    size_t adjustment_next;
    uint64_t reset_count;
    struct base_env *env; /* for a random direction */
};

void serf_coordinate_client_init(struct serf_coordinate_client *client,
                                 struct base_env *env);
/** One round trip to a peer at other; *place is the peer's, and takes it over.
 * GOSSIP_EINVAL, and nothing changes, if it cannot be true. */
int serf_coordinate_update(struct serf_coordinate_client *client,
                           struct serf_place *place,
                           const struct gossip_coordinate *other,
                           uint64_t rtt_ns);
bool serf_coordinate_is_finite(const struct gossip_coordinate *at);

/** The ack payload: version byte and map. */
void serf_coordinate_encode(struct base_buf *out,
                            const struct gossip_coordinate *at);
/** GOSSIP_EDECODE, also for another version or number of dimensions. */
int serf_coordinate_decode(struct gossip_coordinate *out, const void *data,
                           size_t len);

#endif
