/*
 * What the three `isthmus federation` commands share: their flags, one request,
 * and the choice between a table and JSON.
 */
#ifndef CLI_FEDERATION_COMMON_H
#define CLI_FEDERATION_COMMON_H

#include "cli/http_client.h"

struct federation_request {
    struct http_options options;
    const char *dc;
    const char *format;
    bool stale;
};

/** Rows for a command's table of flags. */
#define FEDERATION_FLAGS(request)                                              \
    {"dc", ARGS_TEXT, &(request).dc, "DC",                                     \
     "ask the servers of that datacenter; default: the agent's own"},          \
        {"stale", ARGS_BOOL, &(request).stale, NULL,                           \
         "let any server answer, not its leader alone"},                       \
        {"format", ARGS_TEXT, &(request).format, "FORMAT", "table or json"},   \
        HTTP_FLAGS((request).options)

/** Asks for path and prints the answer in the form that was asked for; returns
 * the exit code. name is the command's, for errors. */
int federation_show(const struct args_command *command, const char *name,
                    const struct federation_request *request, const char *path,
                    void (*print)(json_t *answer, FILE *to));

#endif
