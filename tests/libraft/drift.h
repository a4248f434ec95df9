/*
 * A clock that runs too fast or too slow, and may jump ahead: an env around
 * another one. Everything but the monotonic clock and timers is handed on.
 */
#ifndef TESTS_LIBRAFT_DRIFT_H
#define TESTS_LIBRAFT_DRIFT_H

#include "base/env.h"

struct drift {
    struct base_env env; /* for whose clock it is */
    struct base_env_ops ops;
    struct base_env *under;
    int64_t ppm; /* above 0: runs ahead */
    uint64_t jumped_ns;
};

void drift_init(struct drift *drift, struct base_env *under, int64_t ppm);
/** As after a pause: timers that are out come late. */
void drift_jump_ms(struct drift *drift, uint64_t jump_ms);

#endif
