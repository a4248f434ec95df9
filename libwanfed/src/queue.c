/* A peer's bounded queue; see queue.h. */
#include "queue.h"

#include <assert.h>

#include "frame.h"

void wanfed_queue_init(struct wanfed_queue *queue, size_t packets_max,
                       size_t bytes_max)
{
    *queue = (struct wanfed_queue){.packets_max = packets_max,
                                   .bytes_max = bytes_max};
}

void wanfed_queue_close(struct wanfed_queue *queue)
{
    base_buf_close(&queue->frames);
}

bool wanfed_queue_fits(const struct wanfed_queue *queue, size_t len)
{
    return len > 0 && len <= queue->bytes_max &&
           WANFED_FRAME_HEAD_BYTES + len <= queue->bytes_max;
}

void wanfed_queue_drop_oldest(struct wanfed_queue *queue)
{
    struct wanfed_frame frame;
    enum wanfed_frame_found found;

    if (queue->count == 0)
        return;
    found = wanfed_frame_read(base_buf_data(&queue->frames),
                              base_buf_len(&queue->frames), &frame);
    assert(found == WANFED_FRAME_WHOLE); /* we wrote it ourselves */
    (void)found;
    base_buf_consume(&queue->frames, frame.bytes);
    queue->count--;
}

size_t wanfed_queue_push(struct wanfed_queue *queue, const void *packet,
                         size_t len)
{
    size_t dropped = 0;

    assert(wanfed_queue_fits(queue, len));
    while (queue->count >= queue->packets_max ||
           wanfed_queue_bytes(queue) + WANFED_FRAME_HEAD_BYTES + len >
               queue->bytes_max) {
        wanfed_queue_drop_oldest(queue);
        dropped++;
    }
    wanfed_frame_append(&queue->frames, packet, len);
    queue->count++;
    return dropped;
}

size_t wanfed_queue_clear(struct wanfed_queue *queue)
{
    size_t count = queue->count;

    base_buf_consume(&queue->frames, base_buf_len(&queue->frames));
    queue->count = 0;
    return count;
}
