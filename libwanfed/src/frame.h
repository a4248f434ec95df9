/*
 * The framing of packets on a stream: 4 bytes of length, most significant
 * first, then the packet (federation.md section 5). Pure.
 */
#ifndef WANFED_FRAME_H
#define WANFED_FRAME_H

#include <stddef.h>
#include <stdint.h>

#include "base/buf.h"

#define WANFED_FRAME_HEAD_BYTES 4u

/** One frame at the front of data. */
struct wanfed_frame {
    const uint8_t *packet; /* borrowed from data */
    size_t packet_len;
    size_t bytes; /* of the whole frame: known as soon as its head is there */
};
enum wanfed_frame_found {
    WANFED_FRAME_WHOLE,
    WANFED_FRAME_PARTIAL, /* more bytes are needed; bytes is 0 or says how many
                             in all */
    WANFED_FRAME_BAD      /* length 0 or over the limit: close the stream */
};
enum wanfed_frame_found wanfed_frame_read(const uint8_t *data, size_t len,
                                          struct wanfed_frame *out);
/** Appends a frame; 1 to WANFED_PACKET_BYTES_MAX bytes. */
void wanfed_frame_append(struct base_buf *out, const void *packet, size_t len);

#endif
