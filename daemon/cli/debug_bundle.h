/*
 * What `isthmus debug` gathers from an agent: answers of its API, now and again,
 * its log as it is written, and an index of it all, as files of a tar. Nothing
 * that could be a secret goes in: values of keys that sound like one, and the
 * token that was used.
 * Threads: one at a time per object.
 */
#ifndef CLI_DEBUG_BUNDLE_H
#define CLI_DEBUG_BUNDLE_H

#include "base/buf.h"
#include "cli/http_client.h"

/** X(bit, its word for -capture) */
#define DEBUG_CAPTURES(X)        \
    X(DEBUG_AGENT, "agent")           \
    X(DEBUG_MEMBERS, "members")       \
    X(DEBUG_METRICS, "metrics")       \
    X(DEBUG_LOGS, "logs")             \
    X(DEBUG_RAFT, "raft")             \
    X(DEBUG_FEDERATION, "federation")

enum debug_capture_number {
#define X(name, word) name##_NUMBER,
    DEBUG_CAPTURES(X)
#undef X
};
enum debug_capture {
#define X(name, word) name = 1 << name##_NUMBER,
    DEBUG_CAPTURES(X)
#undef X
};

struct debug_plan {
    unsigned captures;
    uint32_t duration_ms; /* of logs and metrics */
    uint32_t interval_ms; /* between metrics */
};

/** Takes duration_ms. What the agent refuses is told on standard error and in
 * the index, and left out; if it refuses everything that is an error, with
 * *why. tar is the caller's. */
int debug_gather(const struct http_options *options,
                 const struct debug_plan *plan, struct base_buf *tar,
                 char **why);

/** Hides, in place, what sounds like a secret, and token wherever it stands. */
void debug_hide(json_t *value, const char *token);
/** The same for a line of text, the caller's. */
char *debug_hide_text(const char *text, const char *token);

#endif
