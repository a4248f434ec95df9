/*
 * The threads that carry connections: each with a loop, pipes and a proxy of
 * its own. A connection stays with the worker that the kernel gave it to; what
 * workers share is in proxy_shared.h. New routes reach them as messages, one
 * immutable table for all.
 * Threads: the loop of env (the main one), but where noted.
 */
#ifndef GATEWAY_WORKERS_H
#define GATEWAY_WORKERS_H

#include "base/loop.h"
#include "gateway/proxy.h"

#define WORKERS_MAX 64u

struct workers;

struct workers_config {
    struct base_env *env; /* the main loop's: callbacks come there */
    struct base_workers *jobs;
    size_t count;              /* 1 to WORKERS_MAX */
    struct proxy_config proxy; /* of each; env, net, loop, fds and splicer are
                                  filled in */
    int (*fds)[PROXY_LISTENERS_MAX]; /* count of them, given */
};

/** One a processor, at most 16. */
size_t workers_default_count(void);
/** NULL if a loop cannot be made; then fds are still the caller's. */
struct workers *workers_new(const struct workers_config *config);
/** Ends the threads and all connections. */
void workers_free(struct workers *workers);
/** Takes routes (given) in place of those before. */
void workers_set_routes(struct workers *workers, struct routes *routes);
/** The newest; NULL before the first. */
const struct routes *workers_routes(const struct workers *workers);
/** proxy_drain() of all; done comes once, when the last connection has ended. */
void workers_drain(struct workers *workers, bool passed_on,
                   void (*done)(void *arg), void *arg);
/** proxy_end() of all, after workers_drain(): done comes soon. */
void workers_end(struct workers *workers);

#endif
