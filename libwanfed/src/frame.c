/* Frames of packets; see frame.h. */
#include "frame.h"

#include <assert.h>

#include "wanfed/transport.h"

enum wanfed_frame_found wanfed_frame_read(const uint8_t *data, size_t len,
                                          struct wanfed_frame *out)
{
    struct base_cursor cursor = base_cursor_of(data, len);
    uint32_t packet_len = base_cursor_u32be(&cursor);

    *out = (struct wanfed_frame){0};
    if (cursor.failed)
        return WANFED_FRAME_PARTIAL;
    if (packet_len == 0 || packet_len > WANFED_PACKET_BYTES_MAX)
        return WANFED_FRAME_BAD;
    out->bytes = WANFED_FRAME_HEAD_BYTES + (size_t)packet_len;
    if (len < out->bytes)
        return WANFED_FRAME_PARTIAL;
    out->packet = data + WANFED_FRAME_HEAD_BYTES;
    out->packet_len = packet_len;
    return WANFED_FRAME_WHOLE;
}

void wanfed_frame_append(struct base_buf *out, const void *packet, size_t len)
{
    assert(len > 0);
    assert(len <= WANFED_PACKET_BYTES_MAX);
    base_buf_append_u32be(out, (uint32_t)len);
    base_buf_append(out, packet, len);
}
