/*
 * What stands after the "?": parameters, and those that every read knows (dc,
 * index, wait, stale, consistent, pretty).
 * Threads: any; pure.
 */
#ifndef HTTP_WEB_PARAMS_H
#define HTTP_WEB_PARAMS_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "daemon/server.pb-c.h"

#define WEB_PARAMS_MAX 64u
#define WEB_WAIT_MAX_MS 600000u

struct web_param {
    char *key;
    char *value; /* "" if none was given */
};

/** Zero-initialise it; strings are owned. */
struct web_params {
    struct web_param *items;
    size_t count;
};
/** Splits "a=1&b&c=%20". query may be NULL. On BASE_EPARSE (bad escape, too
 * many) *why is a static sentence. */
int web_params_parse(struct web_params *params, const char *query,
                     const char **why);
void web_params_close(struct web_params *params);
/** The first of that name, borrowed; NULL if it is not there. */
const char *web_param(const struct web_params *params, const char *key);
/** "?key", "?key=1", "?key=true" are true; absent, 0 and false are false. For
 * anything else BASE_EPARSE. */
int web_param_bool(const struct web_params *params, const char *key,
                   bool *out);

struct web_options {
    const char *dc; /* borrowed from the parameters; "" is our own */
    uint64_t index;
    uint32_t wait_ms; /* 0: the default */
    Server__Query__Mode mode;
    bool pretty;
    bool cached; /* by the agent's cache, if it has that kind of read */
};
/** On BASE_EPARSE *why is a static sentence that names the parameter. */
int web_options_parse(struct web_options *options,
                      const struct web_params *params, const char **why);

/** A part of a path or query with its escapes undone, the caller's; NULL for a
 * broken escape or a NUL in it. plus: "+" is a space (queries). */
char *web_unescape(const char *text, size_t len, bool plus);

#endif
