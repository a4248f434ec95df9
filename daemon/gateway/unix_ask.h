/*
 * A line asked on a Unix socket, and the answer up to its end: how HAProxy's
 * runtime socket is spoken to.
 * Threads: the loop.
 */
#ifndef GATEWAY_UNIX_ASK_H
#define GATEWAY_UNIX_ASK_H

#include "base/loop.h"

struct unix_ask;

/** Comes once, from the loop, unless freed before. status 0 and the whole
 * answer (borrowed, ends with NUL); or a base_error: BASE_ETIMEOUT, BASE_EFULL
 * for an answer over 8 MiB, or what connecting said. */
typedef void (*unix_ask_fn)(void *arg, int status, const char *answer);

/** line ends with "\n"; it and path are copied. */
struct unix_ask *unix_ask_start(struct base_loop *loop, const char *path,
                                const char *line, uint32_t timeout_ms,
                                unix_ask_fn done, void *arg);
/** done does not come. NULL is fine; not after done has come. */
void unix_ask_free(struct unix_ask *ask);

#endif
