/*
 * The built-in data plane of a gateway process: its sockets, workers and access
 * log, from the first connection to the last.
 * Threads: the main loop.
 */
#ifndef GATEWAY_BUILT_IN_H
#define GATEWAY_BUILT_IN_H

#include "base/loop.h"
#include "gateway/gateway.h"
#include "gateway/routes.h"

struct built_in;

/** Listens, with no routes yet. Says on standard error why it cannot, and
 * returns NULL. options are borrowed. */
struct built_in *built_in_new(const struct gateway_options *options,
                              struct base_loop *loop,
                              struct base_workers *jobs);
void built_in_free(struct built_in *built_in);
/** Takes routes (given) in place of those before. */
void built_in_set_routes(struct built_in *built_in, struct routes *routes);
const struct routes *built_in_routes(const struct built_in *built_in);
/** Listens no more; what stands goes on, until it ends or the time that the
 * options give is over. Then done comes, once. */
void built_in_drain(struct built_in *built_in, void (*done)(void *arg),
                    void *arg);
/** SIGHUP: files that were moved away are opened anew. */
void built_in_reopen(struct built_in *built_in);

#endif
