/*
 * A growing byte buffer that is written at one end and consumed at the other,
 * and a bounded cursor that reads input from a peer.
 * Threads: one at a time per object.
 */
#ifndef BASE_BUF_H
#define BASE_BUF_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

/** Zero-initialise it; base_buf_close() when done. Fields are read-only to
 * users: use base_buf_data() and base_buf_len(). */
struct base_buf {
    uint8_t *bytes;
    size_t start; /* first byte not yet consumed */
    size_t end;   /* one past the last byte */
    size_t cap;
};

#define BASE_BUF_INIT {NULL, 0, 0, 0}

/** Never NULL, also when there is nothing. Valid until the next change. */
static inline const uint8_t *base_buf_data(const struct base_buf *buf)
{
    if (buf->bytes == NULL)
        return (const uint8_t *)"";
    return buf->bytes + buf->start;
}
static inline size_t base_buf_len(const struct base_buf *buf)
{
    return buf->end - buf->start;
}

void base_buf_close(struct base_buf *buf);
/** Empties it and keeps its memory. */
void base_buf_reset(struct base_buf *buf);
/** Room for len more bytes; returns where to write them. Follow it with
 * base_buf_commit(). Bounds are the caller's: check before. */
uint8_t *base_buf_reserve(struct base_buf *buf, size_t len);
void base_buf_commit(struct base_buf *buf, size_t len);
void base_buf_append(struct base_buf *buf, const void *data, size_t len);
void base_buf_append_u8(struct base_buf *buf, uint8_t value);
void base_buf_append_u16be(struct base_buf *buf, uint16_t value);
void base_buf_append_u32be(struct base_buf *buf, uint32_t value);
void base_buf_append_u64be(struct base_buf *buf, uint64_t value);
void base_buf_printf(struct base_buf *buf, const char *format, ...)
    __attribute__((format(printf, 2, 3)));
/** Drops len bytes (at most what is there) from the front. An empty buffer of
 * more than 64 KiB gives its memory back. */
void base_buf_consume(struct base_buf *buf, size_t len);
/** The content as a NUL-terminated string, the caller's (base_free); the
 * buffer is empty afterwards. */
char *base_buf_take_string(struct base_buf *buf);

/**
 * Reads untrusted bytes. A read past the end sets failed, gives 0 or NULL and
 * leaves the position: check failed once, after a group of reads.
 */
struct base_cursor {
    const uint8_t *at;
    const uint8_t *end;
    bool failed;
};

struct base_cursor base_cursor_of(const void *data, size_t len);
static inline size_t base_cursor_left(const struct base_cursor *cursor)
{
    return (size_t)(cursor->end - cursor->at);
}
uint8_t base_cursor_u8(struct base_cursor *cursor);
uint16_t base_cursor_u16be(struct base_cursor *cursor);
uint32_t base_cursor_u32be(struct base_cursor *cursor);
uint64_t base_cursor_u64be(struct base_cursor *cursor);
/** Borrowed from the input; NULL (and failed) if fewer than len bytes are left. */
const uint8_t *base_cursor_bytes(struct base_cursor *cursor, size_t len);

#endif
