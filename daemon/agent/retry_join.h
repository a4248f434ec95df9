/*
 * The one retry engine (federation.md section 10), used three times: LAN join,
 * WAN join, discovery of the primary's gateways. Each attempt starts from the
 * targets as they were written, so that names are resolved anew.
 * Threads: the main loop.
 */
#ifndef AGENT_RETRY_JOIN_H
#define AGENT_RETRY_JOIN_H

#include "base/env.h"

struct retry_join;

/** How an attempt ended; call it once, later or at once. */
void retry_join_attempted(struct retry_join *retry, int status,
                          const char *why);

struct retry_join_config {
    const char *what;     /* for the log: "LAN", "WAN", "primary gateways" */
    uint32_t interval_ms; /* between attempts */
    uint32_t max;         /* attempts; 0: for ever */
    bool keep_on;         /* go on after a success: names may change */
    /** One attempt; it ends in retry_join_attempted(). */
    void (*attempt)(void *ctx, struct retry_join *retry);
    /** The attempts are used up. May be NULL. */
    void (*exhausted)(void *ctx, const char *what);
    void *ctx;
};

struct retry_join_status {
    const char *what;
    uint32_t attempts;
    bool succeeded;
    char last_error[128];
    uint64_t next_ms; /* monotonic; 0: none planned */
};

/** The first attempt comes soon, from the loop. */
struct retry_join *retry_join_new(struct base_env *env,
                                  const struct retry_join_config *config);
/** Tries at once instead of waiting out the interval; not after a success,
 * unless it keeps on. */
void retry_join_now(struct retry_join *retry);
void retry_join_free(struct retry_join *retry);
void retry_join_status(const struct retry_join *retry,
                       struct retry_join_status *out);

#endif
