/*
 * The growing byte buffer: written at its end, consumed at its front. Consumed
 * room is reused before memory grows, and growth doubles, so that a stream of
 * small messages moves each byte at most twice.
 */
#include "base/buf.h"

#include <assert.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "base/alloc.h"

#define CAP_MIN 64u
#define KEEP_BYTES_MAX (64u * 1024u) /* an idle buffer holds no more */

void base_buf_close(struct base_buf *buf)
{
    base_free(buf->bytes);
    *buf = (struct base_buf)BASE_BUF_INIT;
}

void base_buf_reset(struct base_buf *buf)
{
    buf->start = 0;
    buf->end = 0;
}

static void grow(struct base_buf *buf, size_t need)
{
    size_t cap = buf->cap < CAP_MIN ? CAP_MIN : buf->cap;

    while (cap < need) {
        if (cap > SIZE_MAX / 2)
            abort(); /* the caller bounds what it appends */
        cap *= 2;
    }
    buf->bytes = base_realloc(buf->bytes, cap);
    buf->cap = cap;
}

uint8_t *base_buf_reserve(struct base_buf *buf, size_t len)
{
    size_t held = base_buf_len(buf);

    if (buf->bytes != NULL && len <= buf->cap - buf->end)
        return buf->bytes + buf->end;
    if (len > SIZE_MAX - held)
        abort();
    /* Moving pays once at least half of the content's size has come free. */
    if (buf->start > 0 && (buf->start >= held || held + len > buf->cap)) {
        memmove(buf->bytes, buf->bytes + buf->start, held);
        buf->start = 0;
        buf->end = held;
    }
    if (buf->bytes == NULL || len > buf->cap - buf->end)
        grow(buf, buf->end + len);
    return buf->bytes + buf->end;
}

void base_buf_commit(struct base_buf *buf, size_t len)
{
    assert(len <= buf->cap - buf->end);
    buf->end += len;
}

void base_buf_append(struct base_buf *buf, const void *data, size_t len)
{
    if (len == 0)
        return;
    memcpy(base_buf_reserve(buf, len), data, len);
    buf->end += len;
}

void base_buf_append_u8(struct base_buf *buf, uint8_t value)
{
    base_buf_append(buf, &value, 1);
}

static void append_be(struct base_buf *buf, uint64_t value, unsigned bytes)
{
    uint8_t *at = base_buf_reserve(buf, bytes);
    unsigned i;

    for (i = 0; i < bytes; i++)
        at[i] = (uint8_t)(value >> (8 * (bytes - 1 - i)));
    buf->end += bytes;
}

void base_buf_append_u16be(struct base_buf *buf, uint16_t value)
{
    append_be(buf, value, 2);
}

void base_buf_append_u32be(struct base_buf *buf, uint32_t value)
{
    append_be(buf, value, 4);
}

void base_buf_append_u64be(struct base_buf *buf, uint64_t value)
{
    append_be(buf, value, 8);
}

void base_buf_printf(struct base_buf *buf, const char *format, ...)
{
    va_list args;
    size_t room;
    int len;

    base_buf_reserve(buf, 1);
    room = buf->cap - buf->end;
    va_start(args, format);
    len = vsnprintf((char *)buf->bytes + buf->end, room, format, args);
    va_end(args);
    assert(len >= 0);
    if ((size_t)len >= room) {
        base_buf_reserve(buf, (size_t)len + 1);
        va_start(args, format);
        vsnprintf((char *)buf->bytes + buf->end, (size_t)len + 1, format, args);
        va_end(args);
    }
    buf->end += (size_t)len;
}

void base_buf_consume(struct base_buf *buf, size_t len)
{
    size_t held = base_buf_len(buf);

    if (len < held) {
        buf->start += len;
        return;
    }
    base_buf_reset(buf);
    if (buf->cap > KEEP_BYTES_MAX)
        base_buf_close(buf);
}

char *base_buf_take_string(struct base_buf *buf)
{
    char *text;

    base_buf_append_u8(buf, 0);
    if (buf->start > 0)
        memmove(buf->bytes, buf->bytes + buf->start, base_buf_len(buf));
    text = (char *)buf->bytes;
    *buf = (struct base_buf)BASE_BUF_INIT;
    return text;
}
