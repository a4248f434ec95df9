/*
 * One node alone with a wire that a test holds both ends of: what it sends is
 * kept as messages, what it gets is made by the test.
 */
#ifndef TESTS_LIBGOSSIP_LONE_H
#define TESTS_LIBGOSSIP_LONE_H

#include "base/sim.h"
#include "memberlist/node.h"

#define LONE_SENT_MAX 512

struct lone_sent {
    char to[64];
    struct base_addr addr;
    uint8_t type;
    struct base_buf body; /* without the type byte */
};

struct lone {
    struct base_sim *sim;
    struct base_env *env;
    struct base_metrics *metrics;
    struct gossip_memberlist_config config;
    struct gossip_keyring *keyring;
    struct gossip_memberlist *ml;
    struct lone_sent sent[LONE_SENT_MAX];
    size_t sent_count;
    size_t packet_count;
    size_t packet_bytes_max; /* the largest */
    int send_status;         /* what the wire says, */
    enum ml_type send_fails; /* of packets of this type; ML_LABEL: of all */
    unsigned joins, leaves, updates, conflicts, messages;
    uint8_t last_message[2048];
    size_t last_message_len;
};

/** Node "self" at 10.0.0.1:7946 with LAN parameters, probing and gossip off
 * (interval 0) unless the test sets them before lone_start(). */
struct lone *lone_new(void);
void lone_start(struct lone *lone);
void lone_free(struct lone *lone);
/** A plain packet from 10.0.0.9:7946; then the loop runs for a millisecond. */
void lone_packet(struct lone *lone, const void *data, size_t len);
/** One message of that type. */
void lone_tell(struct lone *lone, enum ml_type type, const void *message);
/** Common ones. Addresses are 10.0.1.<last>:7946, versions 1 5 2 0 0 0. */
void lone_alive(struct lone *lone, const char *name, uint8_t last,
                uint32_t incarnation);
void lone_claim(struct lone *lone, enum ml_type type, const char *name,
                uint32_t incarnation, const char *from);
/** The state it holds the name in; -1: not at all. */
int lone_state(struct lone *lone, const char *name);
uint32_t lone_incarnation(struct lone *lone, const char *name);
uint64_t lone_dropped(struct lone *lone, const char *reason);
/** The last message of that type that was sent; NULL if none. */
const struct lone_sent *lone_last(const struct lone *lone, enum ml_type type);
size_t lone_sent_count(const struct lone *lone, enum ml_type type);
void lone_forget(struct lone *lone);
/** Asks it for an ack and fails the test if there is none. */
void lone_assert_well(struct lone *lone);

#endif
