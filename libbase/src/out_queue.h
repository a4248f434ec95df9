/*
 * Bytes on their way out: a list of blocks, so that a long queue is never moved
 * and one sendmsg(2) takes many small writes.
 */
#ifndef LIBBASE_OUT_QUEUE_H
#define LIBBASE_OUT_QUEUE_H

#include <stddef.h>
#include <stdint.h>

struct out_block;

/** Zero-initialise it; out_queue_drop() when done. */
struct out_queue {
    struct out_block *first;
    struct out_block *last;
    size_t bytes; /* waiting */
};

void out_queue_append(struct out_queue *queue, const void *data, size_t len);
/** Sends what the socket takes without waiting, at most a few hundred KiB a
 * call. Returns the bytes sent, 0 if it takes none now, or a base error. */
int64_t out_queue_send(struct out_queue *queue, int fd);
/** Empties it and frees its memory. */
void out_queue_drop(struct out_queue *queue);

#endif
