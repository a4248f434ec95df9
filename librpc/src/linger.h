/*
 * Streams that have a last word on their way. Threads: one loop.
 */
#ifndef RPC_SRC_LINGER_H
#define RPC_SRC_LINGER_H

#include <sys/queue.h>

#include "base/stream.h"

struct linger;

/** Zero-initialise but env. */
struct lingers {
    struct base_env *env;
    LIST_HEAD(, linger) list;
    unsigned count;
};

/** Takes a stream that has an alert on its way, ends our direction, and closes
 * it when the peer has, or after a second. */
void linger(struct lingers *lingers, struct base_stream *stream);
/** Closes them all now. */
void lingers_end(struct lingers *lingers);

#endif
