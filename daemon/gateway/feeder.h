/*
 * Feeds another proxy, HAProxy or nginx, in place of the built-in one: renders
 * each route table for it, and prints the text once, or keeps a file in place.
 * Threads: the loop.
 */
#ifndef GATEWAY_FEEDER_H
#define GATEWAY_FEEDER_H

#include "base/loop.h"
#include "gateway/gateway.h"
#include "gateway/routes.h"

struct feeder;

struct feeder_config {
    struct base_loop *loop;
    const struct gateway_options *options; /* borrowed; kind is not built-in */
    void (*on_placed)(void *arg); /* a file is in place, the proxy was told */
    void (*on_over)(void *arg);   /* without -watch: the text is out */
    void *arg;
};

struct feeder *feeder_new(const struct feeder_config *config);
void feeder_free(struct feeder *feeder);
/** Takes a table (given) in place of the one before. */
void feeder_set_routes(struct feeder *feeder, struct routes *routes);
/** The last one; NULL before the first. */
const struct routes *feeder_routes(const struct feeder *feeder);

#endif
