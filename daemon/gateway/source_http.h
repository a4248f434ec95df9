/*
 * Where the built-in gateway's routes come from: the local agent, followed by
 * blocking queries. While the agent cannot be asked, the last routes stand.
 * Source: federation.md section 11.
 * Threads: the loop.
 */
#ifndef GATEWAY_SOURCE_HTTP_H
#define GATEWAY_SOURCE_HTTP_H

#include "gateway/api.h"
#include "gateway/routes.h"

struct source;

struct source_config {
    struct api *api; /* borrowed */
    /* Without it nothing is watched, and the table stays empty. */
    bool expose_servers;
    struct base_addr self[2]; /* as in routes_input */
    /** A new table, given. Also told when nothing in it has changed. */
    void (*on_routes)(void *arg, struct routes *routes);
    /** The agent answers again after it did not. */
    void (*on_recovered)(void *arg);
    void *arg;
};

struct source *source_new(const struct source_config *config);
void source_free(struct source *source);
/** Everything that routes are made of has been heard of once. */
bool source_is_ready(const struct source *source);

#endif
