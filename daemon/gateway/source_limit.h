/*
 * How many connections each source address has now, so that one alone cannot
 * take them all. An entry lives as long as its connections do.
 * Threads: any.
 */
#ifndef GATEWAY_SOURCE_LIMIT_H
#define GATEWAY_SOURCE_LIMIT_H

#include <stdbool.h>
#include <stddef.h>

#include "base/addr.h"

struct source_limit;

struct source_limit *source_limit_new(size_t per_source_max);
/** Every connection must have left. */
void source_limit_free(struct source_limit *limit);
/** Counts one more of that IP (its port does not matter); false if it has as
 * many as it may. */
bool source_limit_enter(struct source_limit *limit,
                        const struct base_addr *from);
void source_limit_leave(struct source_limit *limit,
                        const struct base_addr *from);

#endif
