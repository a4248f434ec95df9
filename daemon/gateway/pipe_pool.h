/*
 * Pipes to move bytes through: few, made when first needed, and kept.
 * Threads: one at a time per object.
 */
#ifndef GATEWAY_PIPE_POOL_H
#define GATEWAY_PIPE_POOL_H

#include <stdbool.h>
#include <stddef.h>

#define PIPE_POOL_MAX 64
#define PIPE_POOL_BYTES (256 * 1024)  /* asked for; the kernel may give less */
#define PIPE_POOL_LITTLE_BYTES 16384u /* that an empty one takes for sure */

struct pipe_ends {
    int out, in;
};

/** Zero-initialise it. */
struct pipe_pool {
    struct pipe_ends spare[PIPE_POOL_MAX]; /* empty ones */
    size_t spare_count;
    size_t made_count;
};

/** An empty pipe; false if all are out, or the kernel gives none. */
bool pipe_pool_take(struct pipe_pool *pool, struct pipe_ends *out);
/** Takes it back; one with bytes in it (held > 0) is closed. */
void pipe_pool_give(struct pipe_pool *pool, struct pipe_ends pipe, size_t held);
/** Every pipe must have been given back. */
void pipe_pool_close(struct pipe_pool *pool);

#endif
