/*
 * The messages of memberlist as values, and the tables that write and read
 * them. Source: gossip.md 1.1 to 1.8.
 * Strings and byte strings are borrowed from the input (or the scratch).
 */
#ifndef MEMBERLIST_MESSAGES_H
#define MEMBERLIST_MESSAGES_H

#include "memberlist/codec.h"

/* Type bytes. */
enum ml_type {
    ML_PING = 0,
    ML_INDIRECT_PING = 1,
    ML_ACK = 2,
    ML_SUSPECT = 3,
    ML_ALIVE = 4,
    ML_DEAD = 5,
    ML_PUSH_PULL = 6,
    ML_COMPOUND = 7,
    ML_USER = 8,
    ML_COMPRESS = 9,
    ML_ENCRYPT = 10,
    ML_NACK = 11,
    ML_CRC = 12,
    ML_ERR = 13,
    ML_PUSH_NODE = 14, /* no type byte of the wire: an entry of a push/pull */
    ML_LABEL = 244
};
const char *ml_type_name(unsigned type);

#define ML_VSN_BYTES 6
#define ML_CRC_BYTES 5 /* type and checksum */
#define ML_COMPOUND_HEAD_BYTES 2
#define ML_COMPOUND_PART_BYTES 2 /* per part */
/* The oldest peers count the length table in 8 bits (gossip.md 1.6). */
#define ML_COMPOUND_PARTS_MAX 127

struct ml_ping {
    uint32_t seq_no;
    struct mp_bytes node;
    struct mp_bytes source_addr;
    uint16_t source_port;
    struct mp_bytes source_node;
};
struct ml_indirect_ping {
    uint32_t seq_no;
    struct mp_bytes target;
    uint16_t port;
    struct mp_bytes node;
    bool nack;
    struct mp_bytes source_addr;
    uint16_t source_port;
    struct mp_bytes source_node;
};
struct ml_ack {
    uint32_t seq_no;
    struct mp_bytes payload;
};
struct ml_nack {
    uint32_t seq_no;
};
struct ml_err {
    struct mp_bytes error;
};
/* Suspect and dead. */
struct ml_claim {
    uint32_t incarnation;
    struct mp_bytes node;
    struct mp_bytes from;
};
struct ml_alive {
    uint32_t incarnation;
    struct mp_bytes node;
    struct mp_bytes addr;
    uint16_t port;
    struct mp_bytes meta;
    struct mp_bytes vsn;
};
struct ml_push_pull {
    int64_t nodes;
    int64_t user_state_len;
    bool join;
};
struct ml_push_node {
    struct mp_bytes name;
    struct mp_bytes addr;
    uint16_t port;
    struct mp_bytes meta;
    uint32_t incarnation;
    int64_t state;
    struct mp_bytes vsn;
};
struct ml_user_header {
    int64_t len;
};
struct ml_compress {
    uint8_t algo;
    struct mp_bytes buf;
};

/** Appends the type byte (not for ML_PUSH_NODE) and the map. message is the
 * struct of that type. */
void ml_put(struct base_buf *out, enum ml_type type, const void *message);
/** Reads the map that follows a type byte into *message, which is zeroed
 * first. False if it is malformed. Bytes after it are left in the cursor. */
bool ml_get(struct base_cursor *in, enum ml_type type, void *message,
            struct mp_scratch *scratch);

#endif
