/*
 * The libevent loop's inside, shared by the few files that make it up: loop.c
 * (life and running), env_event.c (its struct base_env), post_queue.c, and the
 * sockets (net_event.c and what it names).
 */
#ifndef LIBBASE_LOOP_PRIVATE_H
#define LIBBASE_LOOP_PRIVATE_H

#include <event2/event.h>
#include <event2/event_struct.h>
#include <stdatomic.h>
#include <sys/queue.h>

#include "base/loop.h"
#include "post_queue.h"
#include "random_kernel.h"
#include "spin.h"
#include "timer_heap.h"
#include "worker.h"

struct stream_tcp;

/* Work of one kind in one turn of the loop; then sockets get their turn. */
#define LOOP_TIMERS_PER_TURN 256u
#define LOOP_POSTS_PER_TURN 256u
#define LOOP_SCRATCH_BYTES (64u * 1024u)

struct base_loop {
    struct event_base *base;
    struct base_env env;
    struct base_net net;
    char *name;
    struct base_workers *workers;
    struct base_histogram *lag_us;
    struct random_kernel random;

    struct timer_heap timers;
    uint64_t timer_sequence;
    int timer_fd;          /* timerfd for what lies ahead */
    uint64_t timer_set_ns; /* when timer_fd will ring; UINT64_MAX: never */
    struct event timer_event;
    struct event timer_soon; /* for what is due already */

    struct post_queue posts;
    struct event post_event;
    size_t jobs; /* accepted and not yet told */
    size_t log_jobs; /* of these, the log worker's */
    struct spin spin; /* while there are some of the latter */

    atomic_bool stop;

    /* Looking before sleeping (loop.c). */
    uint64_t news;          /* turns of sockets and posts that had any */
    unsigned looks_left;    /* that may be in vain; 0: it sleeps at once */
    bool looked;            /* in vain, just now */
    uint64_t look_again_ns; /* not before */

    /* Streams with something to write, written once a turn. */
    TAILQ_HEAD(, stream_tcp) flush;
    size_t flush_count;
    struct event flush_event;
    bool flushing;

    uint8_t *scratch;           /* LOOP_SCRATCH_BYTES, for reading */
    struct packet_batch *batch; /* packets_udp.c; NULL until the first socket */
};

/* env_event.c */
extern const struct base_env_ops env_event_ops;
void env_event_on_timer(evutil_socket_t fd, short what, void *arg);
void env_event_on_posts(evutil_socket_t fd, short what, void *arg);
/** Runs up to max accepted posts; false if there was none. */
bool env_event_run_posts(struct base_loop *loop, size_t max);
/** From the worker: the job has run. */
void loop_job_ran(struct base_loop *loop, struct worker_job *job);

/* net_event.c */
extern const struct base_net_ops net_event_ops;

#endif
