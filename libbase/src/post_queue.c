/*
 * The queue between threads: see post_queue.h. The eventfd is written when the
 * queue stops being empty and read when it is empty again, so that a burst of
 * posts costs two system calls. It is written after the lock is let go: whom
 * it wakes would run into it at once.
 */
#include "post_queue.h"

#include <errno.h>
#include <sched.h>
#include <sys/eventfd.h>
#include <unistd.h>

#include "base/alloc.h"
#include "base/error.h"

#define CAP_MIN 64u

int post_queue_init(struct post_queue *queue)
{
    *queue = (struct post_queue){.fd = eventfd(0, EFD_CLOEXEC | EFD_NONBLOCK)};
    if (queue->fd < 0)
        return base_error_from_errno(errno);
    pthread_mutex_init(&queue->lock, NULL);
    return 0;
}

void post_queue_fini(struct post_queue *queue)
{
    if (queue->fd < 0)
        return;
    /* The last post may have been run before its bell was rung. */
    while (atomic_load(&queue->ringing) > 0)
        sched_yield();
    close(queue->fd);
    queue->fd = -1;
    base_free(queue->ring);
    pthread_mutex_destroy(&queue->lock);
}

void post_queue_ring(struct post_queue *queue)
{
    uint64_t one = 1;

    /* EAGAIN means the counter is full: readable, which is all we want. */
    while (write(queue->fd, &one, sizeof(one)) < 0 && errno == EINTR)
        ;
}

static void grow(struct post_queue *queue)
{
    size_t cap = queue->cap == 0 ? CAP_MIN : 2 * queue->cap;
    struct post *ring = base_calloc(cap, sizeof(*ring));
    size_t i;

    for (i = 0; i < queue->count; i++)
        ring[i] = queue->ring[(queue->first + i) & (queue->cap - 1)];
    base_free(queue->ring);
    queue->ring = ring;
    queue->cap = cap;
    queue->first = 0;
}

int post_queue_push(struct post_queue *queue, void (*run)(void *arg), void *arg,
                    uint64_t now_ns, bool must)
{
    bool ring = false;
    int rv = 0;

    pthread_mutex_lock(&queue->lock);
    if (queue->closed && !must) {
        rv = BASE_ECLOSED;
    } else if (queue->count >= POST_QUEUE_MAX && !must) {
        rv = BASE_EFULL;
    } else {
        if (queue->count == queue->cap)
            grow(queue);
        queue->ring[(queue->first + queue->count) & (queue->cap - 1)] =
            (struct post){run, arg};
        if (queue->count++ == 0) {
            queue->waiting_since_ns = now_ns;
            atomic_fetch_add(&queue->ringing, 1);
            ring = true;
        }
    }
    pthread_mutex_unlock(&queue->lock);
    if (ring) {
        post_queue_ring(queue);
        atomic_fetch_sub(&queue->ringing, 1);
    }
    return rv;
}

static void silence(struct post_queue *queue)
{
    uint64_t rings;

    while (read(queue->fd, &rings, sizeof(rings)) < 0 && errno == EINTR)
        ;
}

size_t post_queue_take(struct post_queue *queue, struct post *out, size_t max,
                       uint64_t now_ns, uint64_t *since_ns)
{
    size_t taken = 0;

    pthread_mutex_lock(&queue->lock);
    *since_ns = queue->waiting_since_ns;
    while (taken < max && queue->count > 0) {
        out[taken++] = queue->ring[queue->first];
        queue->first = (queue->first + 1) & (queue->cap - 1);
        queue->count--;
    }
    queue->waiting_since_ns = now_ns; /* roughly, for what is left */
    if (queue->count == 0)
        silence(queue);
    pthread_mutex_unlock(&queue->lock);
    return taken;
}

void post_queue_end(struct post_queue *queue)
{
    pthread_mutex_lock(&queue->lock);
    queue->closed = true;
    pthread_mutex_unlock(&queue->lock);
}
