/*
 * The lines that an agent answers a query with, counted, for `isthmus query`
 * and `isthmus reachability`.
 */
#ifndef CLI_QUERY_LINES_H
#define CLI_QUERY_LINES_H

#include <jansson.h>
#include <stdint.h>

#include "cli/http_client.h"

struct query_lines {
    /** Each line that came; may be NULL. */
    void (*on_line)(void *ctx, const json_t *line);
    void *ctx;
    uint64_t acks, responses, dropped;
    bool done; /* the last line came */
};

/** PUT path; an answer that breaks off is an error too. */
int query_lines_run(struct query_lines *lines, const struct http_target *target,
                    const char *path, const char *payload, char **why);

#endif
