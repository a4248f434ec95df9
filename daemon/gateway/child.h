/*
 * Another program, run to its end beside the loop: a proxy's checker, a reload
 * command. Its output is ours.
 * Threads: the loop.
 */
#ifndef GATEWAY_CHILD_H
#define GATEWAY_CHILD_H

#include "base/loop.h"

struct child;

/** Comes once, from the loop. status: its exit status; 128 + the signal that
 * ended it; or a base_error (negative): it could not be started, or had not
 * ended in time and was killed (BASE_ETIMEOUT). */
typedef void (*child_done_fn)(void *arg, int status);

/** Starts words[0], looked for on the PATH, with words (ends with NULL). */
struct child *child_start(struct base_loop *loop, const char *const *words,
                          uint32_t timeout_ms, child_done_fn done, void *arg);
/** Kills it if it still runs; done does not come. Not after done has. */
void child_free(struct child *child);

#endif
