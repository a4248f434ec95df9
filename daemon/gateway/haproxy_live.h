/*
 * A running HAProxy, by its runtime socket: what it runs, and how its servers
 * are changed with no reload. What it should run is told by the text of its
 * configuration (render.h): the "description" names everything but the servers,
 * and each server line says what "add server" takes.
 *
 * HAProxy's own state is the only truth: it is asked before, the difference is
 * made good, and it is asked again. A server that still has connections cannot
 * be deleted; in maintenance it gets no new ones, which is as good.
 * Threads: the loop.
 */
#ifndef GATEWAY_HAPROXY_LIVE_H
#define GATEWAY_HAPROXY_LIVE_H

#include "base/loop.h"

struct haproxy_live;

enum haproxy_live_result {
    HAPROXY_RUNS_IT,
    HAPROXY_RUNS_ANOTHER, /* more than servers differs; or it cannot be asked */
    HAPROXY_REFUSED       /* only servers differ, but it does not take them */
};

/** Comes once, from the loop, unless freed before. why is for a log. */
typedef void (*haproxy_live_fn)(void *arg, enum haproxy_live_result result,
                                const char *why);

/** Changes its servers to those of text (copied). */
struct haproxy_live *haproxy_live_change(struct base_loop *loop,
                                         const char *socket, const char *text,
                                         haproxy_live_fn done, void *arg);
/** Waits until it runs text, at most 10 s. */
struct haproxy_live *haproxy_live_await(struct base_loop *loop,
                                        const char *socket, const char *text,
                                        haproxy_live_fn done, void *arg);
/** done does not come. NULL is fine; not after done has come. */
void haproxy_live_free(struct haproxy_live *live);

#endif
