#include "cli/query_lines.h"

#include <string.h>

#include "base/alloc.h"
#include "base/error.h"
#include "cli/json_get.h"

static void on_line(void *ctx, const char *text)
{
    struct query_lines *lines = ctx;
    json_t *line = json_loads(text, 0, NULL);
    const char *type = json_get_text(line, "Type");

    if (strcmp(type, "ack") == 0)
        lines->acks++;
    else if (strcmp(type, "response") == 0)
        lines->responses++;
    else if (strcmp(type, "done") == 0) {
        lines->done = true;
        lines->dropped = (uint64_t)json_get_int(line, "Dropped");
    }
    if (line && lines->on_line)
        lines->on_line(lines->ctx, line);
    json_decref(line);
}

int query_lines_run(struct query_lines *lines, const struct http_target *target,
                    const char *path, const char *payload, char **why)
{
    int rv = http_lines(target, "PUT", path, payload, strlen(payload), 0, on_line,
                        lines, why);

    if (rv == 0 && !lines->done) {
        *why = base_strdup("the agent's answer broke off");
        rv = BASE_ECLOSED;
    }
    return rv;
}
