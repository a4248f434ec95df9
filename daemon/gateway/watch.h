/*
 * A blocking query asked again and again: tells each new answer, holds the last
 * one through failures, and never spins.
 * Threads: the loop.
 */
#ifndef GATEWAY_WATCH_H
#define GATEWAY_WATCH_H

#include "gateway/api.h"

struct watch;

struct watch_config {
    struct api *api;  /* borrowed */
    const char *path; /* without a query; copied */
    /** A new answer; borrowed for the call. */
    void (*on_answer)(void *arg, const json_t *body);
    /** An answer came after at least one failure; NULL: nobody cares. */
    void (*on_recovered)(void *arg);
    void *arg;
};

/** Asks at once. */
struct watch *watch_new(const struct watch_config *config);
void watch_free(struct watch *watch);

#endif
