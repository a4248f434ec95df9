/*
 * One suspicion: the time that an accused node has to speak up, shorter with
 * each independent accuser. Source: gossip.md 2.8; Lifeguard, LHA-Suspicion.
 * Threads: the loop of its env.
 */
#ifndef MEMBERLIST_SUSPICION_H
#define MEMBERLIST_SUSPICION_H

#include "base/env.h"
#include "memberlist/codec.h"

#define ML_ACCUSERS_MAX 16 /* more confirmations change next to nothing */

struct ml_suspicion;

/** k: how many confirmations bring the time from max down to min. fire comes
 * once, when the time is over. from is the first accuser. */
struct ml_suspicion *ml_suspicion_new(struct base_env *env, uint32_t k,
                                      uint64_t min_ns, uint64_t max_ns,
                                      struct mp_bytes from,
                                      void (*fire)(void *arg, void *subject),
                                      void *arg, void *subject);
/** A quarter of min_ns before it fires, never less, last_call comes, once, with
 * arg and subject: time for one more word and its answer. Set it right after
 * new. */
void ml_suspicion_on_last_call(struct ml_suspicion *suspicion,
                               void (*last_call)(void *arg, void *subject));
void ml_suspicion_free(struct ml_suspicion *suspicion);
/** True if that accuser was news. */
bool ml_suspicion_confirm(struct ml_suspicion *suspicion,
                          struct mp_bytes from);

#endif
