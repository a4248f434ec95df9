/*
 * What comes in on a stream, opened layer by layer as it arrives: label,
 * encryption, compression, message; a push/pull is handed on member by member.
 * At no time is more held than one member, one piece of output of the
 * decompressor, the user state, and an encrypted block, which cannot be used
 * before its tag is checked. Source: gossip.md 1.5, 1.8 to 1.10, 6.1.
 * Threads: the loop of its exchange.
 */
#ifndef MEMBERLIST_READER_H
#define MEMBERLIST_READER_H

#include "gossip/keyring.h"
#include "memberlist/chunks.h"
#include "memberlist/lzw.h"
#include "memberlist/messages.h"

/* gossip.md 6.1 */
#define ML_SEALED_BYTES_MAX (20u * 1024 * 1024)
#define ML_PUSH_NODES_MAX (1024 * 1024)
#define ML_USER_BYTES_MAX (20 * 1024 * 1024)
#define ML_STREAM_PLAIN_MAX (40u * 1024 * 1024)
/* One msgpack value: a member with 512 bytes of name and meta, and room for
 * keys that we do not know. */
#define ML_VALUE_BYTES_MAX (64u * 1024)

/* What ml_reader_feed() says when there is no error. */
enum ml_reader_status {
    ML_READER_MORE = 1, /* needs input */
    ML_READER_AGAIN,    /* has worked long enough: call again soon */
    ML_READER_WAIT,     /* reserve() had no room: call again when there is */
    ML_READER_DONE      /* the message is whole */
};

/** What its owner does. Each returns 0, an error that ends the reading, or
 * ML_READER_WAIT where nothing was taken. */
struct ml_reader_ops {
    /** Room for so many more bytes. What is not released is given back by the
     * owner at the end. */
    int (*reserve)(void *arg, size_t bytes);
    void (*release)(void *arg, size_t bytes);
    /** The type byte of the message. */
    int (*on_type)(void *arg, unsigned type);
    int (*on_push_pull)(void *arg, const struct ml_push_pull *header);
    int (*on_push_node)(void *arg, const struct ml_push_node *node);
};

struct ml_reader_config {
    struct gossip_keyring *keyring; /* NULL: no encryption */
    bool verify_incoming;
    bool accepting;  /* the dialling side sends a label header */
    bool skip_label; /* a proxy took it off */
    const char *label;
    size_t label_len;
    const struct ml_reader_ops *ops;
    void *arg;
};

enum ml_source { ML_SRC_LABEL, ML_SRC_OUTER, ML_SRC_SEALED_HEAD, ML_SRC_SEALED,
                 ML_SRC_TYPE, ML_SRC_WRAPPER, ML_SRC_LZW, ML_SRC_PLAIN,
                 ML_SRC_END };
enum ml_part { ML_PART_TYPE, ML_PART_HEADER, ML_PART_NODES, ML_PART_BODY,
               ML_PART_DONE };

/** The fields from type on are for the owner once it is done. */
struct ml_reader {
    struct ml_reader_config config;
    enum ml_source source;
    enum ml_part part;
    uint32_t sealed_len;
    struct ml_chunks sealed; /* the block, and once is_opened, what it says */
    bool is_opened;
    struct lzw_decoder *lzw; /* NULL unless compressed */
    uint64_t packed_left;    /* compressed bytes to come */
    size_t plain_total;
    struct base_buf plain; /* the message, as far as it is not parsed */
    uint64_t nodes_left;
    uint64_t body_left;
    struct mp_scratch scratch;

    bool type_known; /* errors before this are answered */
    unsigned type;
    union {
        struct ml_ping ping;
        struct ml_ack ack;
        struct ml_err err;
        struct ml_push_pull push_pull;
        struct ml_user_header user;
    } header; /* strings borrowed from the reader */
    struct base_buf body; /* user state or user message */
};

void ml_reader_init(struct ml_reader *reader,
                    const struct ml_reader_config *config);
void ml_reader_close(struct ml_reader *reader);
/** Works on the input; *used says how much of it is done with. A status of
 * enum ml_reader_status or a negative error. */
int ml_reader_feed(struct ml_reader *reader, const void *data, size_t len,
                   size_t *used);
/** True if nothing but perhaps a label has come. */
bool ml_reader_is_fresh(const struct ml_reader *reader);

#endif
