/*
 * The real world: a libevent loop with its clock, timers, workers, resolver
 * and sockets. The daemon runs two, the gossip loop and the main loop.
 */
#ifndef BASE_LOOP_H
#define BASE_LOOP_H

#include "base/env.h"
#include "base/net.h"

struct base_loop;
struct base_workers;
struct event_base;

/** Two threads, log and bulk, each with a queue of at most 1,024 jobs; shared
 * by any number of loops. Free them after the loops: it waits for their jobs. */
struct base_workers *base_workers_new(void);
void base_workers_free(struct base_workers *workers);

/** A loop; workers are borrowed. Ignores SIGPIPE for the process. NULL if
 * libevent or the kernel refuses. */
struct base_loop *base_loop_new(const char *name, const struct base_log *log,
                                struct base_metrics *metrics,
                                struct base_workers *workers);
/**
 * After base_loop_run() has returned: takes no more posts and jobs
 * (BASE_ECLOSED), waits for the jobs that were accepted, and tells them and
 * the accepted posts on the calling thread. Timers do not fire. Call it before
 * freeing what those callbacks touch.
 */
void base_loop_drain(struct base_loop *loop);
/** Drains it if that was not done, and frees it. Its streams, listeners and
 * dials must be closed before. */
void base_loop_free(struct base_loop *loop);

/** Runs callbacks until base_loop_stop(). The calling thread becomes the
 * loop's. */
void base_loop_run(struct base_loop *loop);
/** Runs until done(arg) is true or timeout_ms has passed; for tests and small
 * programs. Returns what done(arg) says at the end. */
bool base_loop_run_until(struct base_loop *loop, bool (*done)(void *arg),
                         void *arg, uint32_t timeout_ms);
/** Ends base_loop_run() soon, or at once the next one if none runs. Any
 * thread. */
void base_loop_stop(struct base_loop *loop);

/** Live as long as the loop. */
struct base_env *base_loop_env(struct base_loop *loop);
struct base_net *base_loop_net(struct base_loop *loop);
/** As base_net_listen(), on a socket (given) that listens already and does not
 * block: one of several that share a port (SO_REUSEPORT), or that another
 * process passed on. Where it waits for data (TCP_DEFER_ACCEPT), accept is
 * called with that data in the stream's input. Closed like any other. */
struct base_listener *base_loop_listen_fd(struct base_loop *loop, int fd,
                                          base_accept_fn accept, void *arg);
/** Accepts all that waits in the kernel's queue, for who is about to close: it
 * would be reset. Not from within accept. */
void base_loop_listener_empty(struct base_listener *listener);
/** For what speaks libevent itself: evhttp, signals, splice. */
struct event_base *base_loop_event_base(struct base_loop *loop);

#endif
