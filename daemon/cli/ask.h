/*
 * A command that asks the agent for one list and shows it: its flags, the
 * request, and the choice between a table and JSON; or that tells it to do one
 * thing.
 * Threads: one at a time.
 */
#ifndef CLI_ASK_H
#define CLI_ASK_H

#include "cli/http_client.h"

struct ask {
    struct http_options options;
    const char *dc;
    const char *format; /* "table" unless the flag says otherwise */
    bool stale;
};

/** Rows for a command's table of flags. */
#define ASK_FLAGS(ask)                                                         \
    {"dc", ARGS_TEXT, &(ask).dc, "DC",                                         \
     "ask the servers of that datacenter; default: the agent's own"},          \
        {"stale", ARGS_BOOL, &(ask).stale, NULL,                               \
         "let any server answer, not its leader alone"},                       \
        {"format", ARGS_TEXT, &(ask).format, "FORMAT", "table or json"},       \
        HTTP_FLAGS((ask).options)

/** Asks for path and prints the answer in the form that was asked for; returns
 * the exit code. path may have a query already. name is the command's, for
 * errors. */
int ask_and_print(const struct args_command *command, const char *name,
                  const struct ask *ask, const char *path,
                  void (*print)(json_t *answer, FILE *to));

/** A command that takes no words and does one thing: PUT path, then says said.
 * Returns the exit code. */
int ask_to_do(const char *name, const struct http_options *options,
              const char *path, const char *said);

/** path with "&key=value" or "?key=value", escaped; path itself is freed. A
 * value of NULL adds nothing. The caller's. */
char *ask_with(char *path, const char *key, const char *value);

#endif
