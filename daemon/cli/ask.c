/* One question to the agent, and its answer on the screen. */
#include "cli/ask.h"

#include <string.h>

#include "base/alloc.h"
#include "cli/commands.h"
#include "cli/output.h"

char *ask_with(char *path, const char *key, const char *value)
{
    char *escaped, *out;

    if (value == NULL)
        return path;
    escaped = http_escape(value);
    out = base_asprintf("%s%c%s=%s", path, strchr(path, '?') ? '&' : '?', key,
                        escaped);
    base_free(escaped);
    base_free(path);
    return out;
}

static int fetch(const struct ask *ask, const char *path, json_t **out,
                 char **why)
{
    struct http_target target;
    char *whole;
    int rv = http_target_init(&target, &ask->options, why);

    if (rv < 0)
        return rv;
    whole = ask_with(base_strdup(path), "dc", ask->dc);
    whole = ask_with(whole, "stale", ask->stale ? "1" : NULL);
    rv = http_json(&target, "GET", whole, out, why);
    base_free(whole);
    http_target_close(&target);
    return rv;
}

int ask_and_print(const struct args_command *command, const char *name,
                  const struct ask *ask, const char *path,
                  void (*print)(json_t *answer, FILE *to))
{
    json_t *answer;
    char *why = NULL;
    bool is_json;

    if (!output_format(ask->format, &is_json))
        return args_usage_error(command, "-format: wanted table or json");
    if (fetch(ask, path, &answer, &why) < 0)
        return cmd_fail(name, why);
    if (is_json)
        output_json(answer);
    else
        print(answer, stdout);
    json_decref(answer);
    return 0;
}

int ask_to_do(const char *name, const struct http_options *options,
              const char *path, const char *said)
{
    struct http_target target;
    char *why = NULL;
    int rv = http_target_init(&target, options, &why);

    if (rv == 0) {
        rv = http_json(&target, "PUT", path, NULL, &why);
        http_target_close(&target);
    }
    if (rv < 0)
        return cmd_fail(name, why);
    puts(said);
    return 0;
}
