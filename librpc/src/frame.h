/*
 * Frames of our RPC, as bytes: encode and decode, no state. The byte tables are
 * in docs/protocol.md. Threads: any.
 */
#ifndef RPC_SRC_FRAME_H
#define RPC_SRC_FRAME_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#define FRAME_VERSION 1u
#define FRAME_HEADER_BYTES 12u
#define FRAME_PART_BYTES 65536u /* of a message's body, in one frame */
#define FRAME_HEAD_BYTES_MAX 4096u /* of a frame's payload before the body */
#define FRAME_PAYLOAD_BYTES_MAX (FRAME_HEAD_BYTES_MAX + FRAME_PART_BYTES)
#define FRAME_METHOD_LEN_MAX 255u
#define FRAME_TOKEN_LEN_MAX 1024u
#define FRAME_TEXT_LEN_MAX 1024u

enum frame_type {
    FRAME_HELLO = 1,
    FRAME_REQUEST = 2,
    FRAME_RESPONSE = 3,
    FRAME_DATA = 4,
    FRAME_GRANT = 5,
    FRAME_CANCEL = 6,
    FRAME_GOAWAY = 7,
    FRAME_PING = 8,
    FRAME_PONG = 9
};
/* A receiver skips an unknown type with this bit; without it, it hangs up. */
#define FRAME_IGNORABLE 0x80u

struct frame {
    uint8_t type;
    uint32_t id;
    const uint8_t *payload; /* borrowed from the input */
    size_t len;
};

struct frame_hello {
    uint16_t version;
    uint16_t streams_max;
    uint32_t message_bytes_max;
};

/** A request or a response up to its body; strings end with NUL. */
struct frame_head {
    uint32_t id;
    bool is_request;
    uint32_t total;      /* body bytes in all */
    uint32_t timeout_ms; /* request */
    uint8_t hops;        /* request */
    int32_t status;      /* response: 0 or a negative error */
    char method[FRAME_METHOD_LEN_MAX + 1]; /* request */
    char token[FRAME_TOKEN_LEN_MAX + 1];   /* request */
    char text[FRAME_TEXT_LEN_MAX + 1];     /* response */
};

/** Cuts one frame from the front of the input. Returns its whole length, 0 if
 * more bytes are needed, RPC_ETOOBIG or RPC_EPEER. */
int64_t frame_read(const void *data, size_t len, struct frame *out);
/** 0 or RPC_EPEER. */
int frame_read_hello(const struct frame *frame, struct frame_hello *out);
/** Reads what stands before the body; *part and *part_len are the body's first
 * part, borrowed. 0 or RPC_EPEER. */
int frame_read_head(const struct frame *frame, struct frame_head *out,
                    const uint8_t **part, size_t *part_len);

void frame_write_header(uint8_t out[FRAME_HEADER_BYTES], uint8_t type,
                        uint32_t id, size_t payload_len);
#define FRAME_HELLO_BYTES (FRAME_HEADER_BYTES + 8u)
void frame_write_hello(uint8_t out[FRAME_HELLO_BYTES],
                       const struct frame_hello *hello);

/** Everything of the first frame of a message but its part. */
struct frame_start {
    uint8_t bytes[FRAME_HEADER_BYTES + FRAME_HEAD_BYTES_MAX];
    size_t len;
};
/** text is cut at FRAME_TEXT_LEN_MAX; method and token must fit. */
void frame_write_request(struct frame_start *out, uint32_t id,
                         const char *method, const char *token,
                         uint32_t timeout_ms, uint8_t hops, uint32_t total);
void frame_write_response(struct frame_start *out, uint32_t id, int32_t status,
                          const char *text, uint32_t total);
/** Bytes of the body that the first frame carries. */
size_t frame_first_part(size_t total);

#endif
