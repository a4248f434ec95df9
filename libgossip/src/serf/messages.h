/*
 * The messages of serf as they travel: a type byte and one msgpack map
 * (gossip.md 3.2). Encoders append to a buffer. Decoders take the bytes after
 * the type byte; what they give is borrowed from the input, except byte strings
 * that came as integer arrays, which live in the scratch.
 */
#ifndef SERF_MESSAGES_H
#define SERF_MESSAGES_H

#include "base/buf.h"
#include "gossip/serf.h"
#include "memberlist/codec.h"

enum serf_message_type {
    SERF_LEAVE = 0,
    SERF_JOIN = 1,
    SERF_PUSH_PULL = 2,
    SERF_USER_EVENT = 3,
    SERF_QUERY = 4,
    SERF_QUERY_RESPONSE = 5,
    SERF_CONFLICT_RESPONSE = 6,
    SERF_KEY_REQUEST = 7,
    SERF_KEY_RESPONSE = 8,
    SERF_RELAY = 9
};

#define SERF_FLAG_ACK 1u
#define SERF_FLAG_NO_BROADCAST 2u

#define SERF_FILTERS_MAX 64u /* more do not fit the default query anyway */

struct serf_msg_intent {
    uint64_t ltime;
    struct mp_bytes node;
    bool prune; /* leave only */
};

struct serf_msg_event {
    uint64_t ltime;
    struct mp_bytes name;
    struct mp_bytes payload;
    bool coalesce;
};

struct serf_msg_query {
    uint64_t ltime;
    uint32_t id;
    struct mp_bytes addr;
    uint16_t port;
    struct mp_bytes source;
    struct mp_bytes filters[SERF_FILTERS_MAX];
    uint32_t filter_count; /* 0 goes out as nil */
    uint32_t flags;
    uint8_t relay_factor;
    int64_t timeout_ns;
    struct mp_bytes name;
    struct mp_bytes payload;
};

struct serf_msg_response {
    uint64_t ltime;
    uint32_t id;
    struct mp_bytes from;
    uint32_t flags;
    struct mp_bytes payload;
};

struct serf_msg_key_response {
    bool result;
    struct mp_bytes message;
    struct mp_bytes keys[GOSSIP_KEYS_MAX];
    uint32_t key_count;  /* 0 goes out as nil */
    uint32_t key_total;  /* that came; at most GOSSIP_KEYS_MAX are kept */
    struct mp_bytes primary;
};

struct serf_msg_relay {
    struct mp_bytes ip;
    uint16_t port;
    struct mp_bytes node;
    struct mp_bytes inner; /* with its type byte */
};

void serf_put_intent(struct base_buf *out, enum serf_message_type type,
                     const struct serf_msg_intent *msg);
void serf_put_event(struct base_buf *out, const struct serf_msg_event *msg);
void serf_put_query(struct base_buf *out, const struct serf_msg_query *msg);
void serf_put_response(struct base_buf *out,
                       const struct serf_msg_response *msg);
void serf_put_relay(struct base_buf *out, const struct serf_msg_relay *msg);
void serf_put_key_request(struct base_buf *out, struct mp_bytes key);
void serf_put_key_response(struct base_buf *out,
                           const struct serf_msg_key_response *msg);
/** member NULL: unknown. */
void serf_put_conflict(struct base_buf *out,
                       const struct gossip_member *member);

/* Each returns 0 or GOSSIP_EDECODE. */
int serf_get_intent(struct serf_msg_intent *msg, const void *data, size_t len);
int serf_get_event(struct serf_msg_event *msg, const void *data, size_t len,
                   struct mp_scratch *scratch);
int serf_get_query(struct serf_msg_query *msg, const void *data, size_t len,
                   struct mp_scratch *scratch);
int serf_get_response(struct serf_msg_response *msg, const void *data,
                      size_t len, struct mp_scratch *scratch);
int serf_get_relay(struct serf_msg_relay *msg, const void *data, size_t len,
                   struct mp_scratch *scratch);
/** The payloads of internal queries; these come with their type byte, and an
 * empty or foreign payload is an error (gossip.md 6.3 rule 7). */
int serf_get_key_request(struct mp_bytes *key, const void *data, size_t len,
                         struct mp_scratch *scratch);
int serf_get_key_response(struct serf_msg_key_response *msg, const void *data,
                          size_t len);
/** *known false for a nil record, *addr then without family. */
int serf_get_conflict(bool *known, struct base_addr *addr, const void *data,
                      size_t len, struct mp_scratch *scratch);

/** A node name as a string: 1 to GOSSIP_NAME_MAX bytes, no NUL, no newline
 * (gossip.md 6.3 rule 4). */
bool serf_name_copy(char out[GOSSIP_NAME_MAX + 1], struct mp_bytes name);

#endif
