/*
 * The door between threads: a bounded queue of callbacks behind a lock, with an
 * eventfd that is readable while something waits.
 */
#ifndef LIBBASE_POST_QUEUE_H
#define LIBBASE_POST_QUEUE_H

#include <pthread.h>
#include <stdatomic.h>
#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#define POST_QUEUE_MAX 65536u

struct post {
    void (*run)(void *arg);
    void *arg;
};

struct post_queue {
    pthread_mutex_t lock;
    struct post *ring; /* cap is a power of two */
    size_t cap;
    size_t first;
    size_t count;
    int fd;
    bool closed;
    uint64_t waiting_since_ns; /* when the queue stopped being empty */
    atomic_uint ringing; /* who has let go of the lock and still rings */
};

/** Returns 0 or a base error. */
int post_queue_init(struct post_queue *queue);
void post_queue_fini(struct post_queue *queue);
/** Any thread. Returns 0, BASE_EFULL or BASE_ECLOSED. must: neither bound nor
 * closing refuses it (the ends of jobs, bounded where jobs are accepted). */
int post_queue_push(struct post_queue *queue, void (*run)(void *arg), void *arg,
                    uint64_t now_ns, bool must);
/** Takes up to max posts; *since_ns is when the oldest began to wait. The fd
 * stays readable while some are left. */
size_t post_queue_take(struct post_queue *queue, struct post *out, size_t max,
                       uint64_t now_ns, uint64_t *since_ns);
/** From now on only must-posts come in. */
void post_queue_end(struct post_queue *queue);
/** Makes the fd readable though nothing waits. */
void post_queue_ring(struct post_queue *queue);

#endif
