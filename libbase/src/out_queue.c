/*
 * The output queue of a socket: see out_queue.h. Small writes fill up the last
 * block; a large one gets a block of its own size.
 */
#include "out_queue.h"

#include <errno.h>
#include <string.h>
#include <sys/socket.h>

#include "base/alloc.h"
#include "base/error.h"

#define BLOCK_BYTES_MIN 4096u
#define BLOCKS_PER_SEND 32

struct out_block {
    struct out_block *next;
    size_t start;
    size_t end;
    size_t cap;
    uint8_t bytes[];
};

static void add_block(struct out_queue *queue, size_t len)
{
    size_t cap = len < BLOCK_BYTES_MIN ? BLOCK_BYTES_MIN : len;
    struct out_block *block = base_alloc(sizeof(*block) + cap);

    *block = (struct out_block){.cap = cap};
    if (queue->last == NULL)
        queue->first = block;
    else
        queue->last->next = block;
    queue->last = block;
}

void out_queue_append(struct out_queue *queue, const void *data, size_t len)
{
    const uint8_t *from = data;
    size_t left = len;

    while (left > 0) {
        struct out_block *last = queue->last;
        size_t part = last == NULL ? 0 : last->cap - last->end;

        if (part == 0) {
            add_block(queue, left);
            continue;
        }
        if (part > left)
            part = left;
        memcpy(last->bytes + last->end, from, part);
        last->end += part;
        from += part;
        left -= part;
    }
    queue->bytes += len;
}

static void drop_first(struct out_queue *queue)
{
    struct out_block *block = queue->first;

    queue->first = block->next;
    if (queue->first == NULL)
        queue->last = NULL;
    base_free(block);
}

static void consume(struct out_queue *queue, size_t len)
{
    queue->bytes -= len;
    while (len > 0) {
        struct out_block *block = queue->first;
        size_t held = block->end - block->start;

        if (len < held) {
            block->start += len;
            return;
        }
        len -= held;
        drop_first(queue);
    }
}

int64_t out_queue_send(struct out_queue *queue, int fd)
{
    struct iovec parts[BLOCKS_PER_SEND];
    struct msghdr message = {.msg_iov = parts};
    struct out_block *block;
    ssize_t sent;

    for (block = queue->first;
         block != NULL && message.msg_iovlen < BLOCKS_PER_SEND;
         block = block->next)
        parts[message.msg_iovlen++] = (struct iovec){
            block->bytes + block->start, block->end - block->start};
    do {
        sent = sendmsg(fd, &message, MSG_NOSIGNAL | MSG_DONTWAIT);
    } while (sent < 0 && errno == EINTR);
    if (sent < 0)
        return errno == EAGAIN || errno == ENOBUFS
                   ? 0
                   : base_error_from_errno(errno);
    consume(queue, (size_t)sent);
    return sent;
}

void out_queue_drop(struct out_queue *queue)
{
    while (queue->first != NULL)
        drop_first(queue);
    queue->bytes = 0;
}
