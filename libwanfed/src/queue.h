/*
 * The packets that wait for one peer, already framed and side by side, so that
 * all of them leave in one write. Full: the oldest go. Pure.
 */
#ifndef WANFED_QUEUE_H
#define WANFED_QUEUE_H

#include <stdbool.h>

#include "base/buf.h"

struct wanfed_queue {
    struct base_buf frames;
    size_t count;
    size_t packets_max;
    size_t bytes_max;
};

void wanfed_queue_init(struct wanfed_queue *queue, size_t packets_max,
                       size_t bytes_max);
void wanfed_queue_close(struct wanfed_queue *queue);
/** True if a packet of that size can ever be taken. */
bool wanfed_queue_fits(const struct wanfed_queue *queue, size_t len);
/** Takes a packet that fits; returns how many old ones went for it. */
size_t wanfed_queue_push(struct wanfed_queue *queue, const void *packet,
                         size_t len);
/** The oldest goes, if there is one. */
void wanfed_queue_drop_oldest(struct wanfed_queue *queue);
/** Empties it; returns how many packets were in. */
size_t wanfed_queue_clear(struct wanfed_queue *queue);

static inline size_t wanfed_queue_bytes(const struct wanfed_queue *queue)
{
    return base_buf_len(&queue->frames);
}

#endif
