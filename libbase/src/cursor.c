/*
 * The bounded cursor: the one way to read bytes that a peer sent. After a
 * failure every further read fails too, so that a decoder checks once.
 */
#include "base/buf.h"

struct base_cursor base_cursor_of(const void *data, size_t len)
{
    const uint8_t *at = data;

    /* NULL + 0 is not C; an empty input needs some address. */
    if (at == NULL || len == 0)
        at = (const uint8_t *)"";
    return (struct base_cursor){at, at + (data == NULL ? 0 : len), false};
}

const uint8_t *base_cursor_bytes(struct base_cursor *cursor, size_t len)
{
    const uint8_t *at = cursor->at;

    if (cursor->failed || len > base_cursor_left(cursor)) {
        cursor->failed = true;
        return NULL;
    }
    cursor->at += len;
    return at;
}

static uint64_t read_be(struct base_cursor *cursor, unsigned bytes)
{
    const uint8_t *at = base_cursor_bytes(cursor, bytes);
    uint64_t value = 0;
    unsigned i;

    for (i = 0; at != NULL && i < bytes; i++)
        value = value << 8 | at[i];
    return value;
}

uint8_t base_cursor_u8(struct base_cursor *cursor)
{
    return (uint8_t)read_be(cursor, 1);
}

uint16_t base_cursor_u16be(struct base_cursor *cursor)
{
    return (uint16_t)read_be(cursor, 2);
}

uint32_t base_cursor_u32be(struct base_cursor *cursor)
{
    return (uint32_t)read_be(cursor, 4);
}

uint64_t base_cursor_u64be(struct base_cursor *cursor)
{
    return read_be(cursor, 8);
}
