/*
 * Frames as bytes. A length is checked against its limit before anything is
 * done with it; strings that come from a peer are printable or refused, since
 * they go into logs and comparisons.
 */
#include "frame.h"

#include <assert.h>
#include <string.h>

#include "base/buf.h"
#include "rpc/error.h"

_Static_assert(12 + 4 + FRAME_METHOD_LEN_MAX + FRAME_TOKEN_LEN_MAX <=
                   FRAME_HEAD_BYTES_MAX,
               "the longest request head must fit");
_Static_assert(12 + FRAME_TEXT_LEN_MAX <= FRAME_HEAD_BYTES_MAX,
               "the longest response head must fit");

int64_t frame_read(const void *data, size_t len, struct frame *out)
{
    struct base_cursor cursor = base_cursor_of(data, len);
    uint32_t payload_len;
    uint8_t type;
    uint8_t flags;
    uint16_t reserved;

    if (len < FRAME_HEADER_BYTES)
        return 0;
    payload_len = base_cursor_u32be(&cursor);
    type = base_cursor_u8(&cursor);
    flags = base_cursor_u8(&cursor);
    reserved = base_cursor_u16be(&cursor);
    out->id = base_cursor_u32be(&cursor);
    if (payload_len > FRAME_PAYLOAD_BYTES_MAX)
        return RPC_ETOOBIG;
    if (flags != 0 || reserved != 0)
        return RPC_EPEER;
    if (base_cursor_left(&cursor) < payload_len)
        return 0;
    out->type = type;
    out->payload = cursor.at;
    out->len = payload_len;
    return (int64_t)FRAME_HEADER_BYTES + payload_len;
}

int frame_read_hello(const struct frame *frame, struct frame_hello *out)
{
    struct base_cursor cursor = base_cursor_of(frame->payload, frame->len);

    out->version = base_cursor_u16be(&cursor);
    out->streams_max = base_cursor_u16be(&cursor);
    out->message_bytes_max = base_cursor_u32be(&cursor);
    /* What follows is of a later version. */
    return cursor.failed || out->version == 0 || out->streams_max == 0
               ? RPC_EPEER
               : 0;
}

/* len bytes as a string of visible ASCII. */
static void read_word(struct base_cursor *cursor, char *out, size_t len,
                      size_t max)
{
    const uint8_t *bytes;
    size_t i;

    bytes = len <= max ? base_cursor_bytes(cursor, len) : NULL;
    if (bytes == NULL) {
        cursor->failed = true;
        return;
    }
    for (i = 0; i < len; i++) {
        if (bytes[i] <= 0x20 || bytes[i] >= 0x7f)
            cursor->failed = true;
        out[i] = (char)bytes[i];
    }
    out[len] = '\0';
}

/* A sentence for a person: control bytes become spaces. */
static void read_text(struct base_cursor *cursor, char *out, size_t len)
{
    const uint8_t *bytes;
    size_t i;

    bytes = len <= FRAME_TEXT_LEN_MAX ? base_cursor_bytes(cursor, len) : NULL;
    if (bytes == NULL) {
        cursor->failed = true;
        return;
    }
    for (i = 0; i < len; i++)
        out[i] = bytes[i] < 0x20 || bytes[i] == 0x7f ? ' ' : (char)bytes[i];
    out[len] = '\0';
}

static void read_request_head(struct base_cursor *cursor,
                              struct frame_head *out)
{
    size_t method_len;
    size_t token_len;

    out->timeout_ms = base_cursor_u32be(cursor);
    out->hops = base_cursor_u8(cursor);
    method_len = base_cursor_u8(cursor);
    token_len = base_cursor_u16be(cursor);
    read_word(cursor, out->method, method_len, FRAME_METHOD_LEN_MAX);
    read_word(cursor, out->token, token_len, FRAME_TOKEN_LEN_MAX);
    if (method_len == 0)
        cursor->failed = true;
}

static void read_response_head(struct base_cursor *cursor,
                               struct frame_head *out)
{
    size_t text_len;

    out->status = (int32_t)base_cursor_u32be(cursor);
    text_len = base_cursor_u16be(cursor);
    if (base_cursor_u16be(cursor) != 0 || out->status > 0)
        cursor->failed = true;
    read_text(cursor, out->text, text_len);
}

size_t frame_first_part(size_t total)
{
    return total < FRAME_PART_BYTES ? total : FRAME_PART_BYTES;
}

int frame_read_head(const struct frame *frame, struct frame_head *out,
                    const uint8_t **part, size_t *part_len)
{
    struct base_cursor cursor = base_cursor_of(frame->payload, frame->len);

    out->id = frame->id;
    out->is_request = frame->type == FRAME_REQUEST;
    out->timeout_ms = 0;
    out->hops = 0;
    out->status = 0;
    out->method[0] = out->token[0] = out->text[0] = '\0';
    out->total = base_cursor_u32be(&cursor);
    if (out->is_request)
        read_request_head(&cursor, out);
    else
        read_response_head(&cursor, out);
    *part = cursor.at;
    *part_len = base_cursor_left(&cursor);
    if (cursor.failed || *part_len != frame_first_part(out->total))
        return RPC_EPEER;
    return 0;
}

/* ---- writing ---- */

static uint8_t *put_u16(uint8_t *at, uint16_t value)
{
    at[0] = (uint8_t)(value >> 8);
    at[1] = (uint8_t)value;
    return at + 2;
}

static uint8_t *put_u32(uint8_t *at, uint32_t value)
{
    at = put_u16(at, (uint16_t)(value >> 16));
    return put_u16(at, (uint16_t)value);
}

static uint8_t *put_bytes(uint8_t *at, const char *bytes, size_t len)
{
    memcpy(at, bytes, len);
    return at + len;
}

void frame_write_header(uint8_t out[FRAME_HEADER_BYTES], uint8_t type,
                        uint32_t id, size_t payload_len)
{
    assert(payload_len <= FRAME_PAYLOAD_BYTES_MAX);
    out = put_u32(out, (uint32_t)payload_len);
    *out++ = type;
    *out++ = 0;
    out = put_u16(out, 0);
    put_u32(out, id);
}

void frame_write_hello(uint8_t out[FRAME_HELLO_BYTES],
                       const struct frame_hello *hello)
{
    frame_write_header(out, FRAME_HELLO, 0, 8);
    out = put_u16(out + FRAME_HEADER_BYTES, hello->version);
    out = put_u16(out, hello->streams_max);
    put_u32(out, hello->message_bytes_max);
}

static void end_start(struct frame_start *out, enum frame_type type,
                      uint32_t id, const uint8_t *at, uint32_t total)
{
    size_t head_len = (size_t)(at - out->bytes) - FRAME_HEADER_BYTES;

    frame_write_header(out->bytes, (uint8_t)type, id,
                       head_len + frame_first_part(total));
    out->len = FRAME_HEADER_BYTES + head_len;
}

void frame_write_request(struct frame_start *out, uint32_t id,
                         const char *method, const char *token,
                         uint32_t timeout_ms, uint8_t hops, uint32_t total)
{
    size_t method_len = strlen(method);
    size_t token_len = strlen(token);
    uint8_t *at = out->bytes + FRAME_HEADER_BYTES;

    assert(method_len > 0 && method_len <= FRAME_METHOD_LEN_MAX);
    assert(token_len <= FRAME_TOKEN_LEN_MAX);
    at = put_u32(at, total);
    at = put_u32(at, timeout_ms);
    *at++ = hops;
    *at++ = (uint8_t)method_len;
    at = put_u16(at, (uint16_t)token_len);
    at = put_bytes(at, method, method_len);
    at = put_bytes(at, token, token_len);
    end_start(out, FRAME_REQUEST, id, at, total);
}

void frame_write_response(struct frame_start *out, uint32_t id, int32_t status,
                          const char *text, uint32_t total)
{
    size_t text_len = strnlen(text, FRAME_TEXT_LEN_MAX);
    uint8_t *at = out->bytes + FRAME_HEADER_BYTES;

    at = put_u32(at, total);
    at = put_u32(at, (uint32_t)status);
    at = put_u16(at, (uint16_t)text_len);
    at = put_u16(at, 0);
    at = put_bytes(at, text, text_len);
    end_start(out, FRAME_RESPONSE, id, at, total);
}
