/*
 * Names to addresses on the bulk worker: see resolve.c.
 */
#ifndef LIBBASE_RESOLVE_H
#define LIBBASE_RESOLVE_H

#include "base/env.h"

/** base_env_resolve() for any env whose workers are real threads. */
int resolve_start(struct base_env *env, const char *name,
                  enum base_resolve_type type, base_resolve_fn done, void *arg);

#endif
