/* One request of `isthmus federation`, and its answer on the screen. */
#include "cli/federation_common.h"

#include "base/alloc.h"
#include "cli/commands.h"
#include "cli/output.h"

static char *with_query(const struct federation_request *request,
                        const char *path)
{
    char *dc = http_escape(request->dc == NULL ? "" : request->dc);
    char *out = base_asprintf("%s%s%s%s%s", path,
                              *dc != '\0' || request->stale ? "?" : "",
                              *dc != '\0' ? "dc=" : "", dc,
                              !request->stale ? ""
                              : *dc != '\0'   ? "&stale=1"
                                              : "stale=1");

    base_free(dc);
    return out;
}

static int fetch(const struct federation_request *request, const char *path,
                 json_t **out, char **why)
{
    struct http_target target;
    char *whole;
    int rv = http_target_init(&target, &request->options, why);

    if (rv < 0)
        return rv;
    whole = with_query(request, path);
    rv = http_json(&target, "GET", whole, out, why);
    base_free(whole);
    http_target_close(&target);
    return rv;
}

int federation_show(const struct args_command *command, const char *name,
                    const struct federation_request *request, const char *path,
                    void (*print)(json_t *answer, FILE *to))
{
    json_t *answer;
    char *why = NULL;
    bool is_json;

    if (!output_format(request->format, &is_json))
        return args_usage_error(command, "-format: wanted table or json");
    if (fetch(request, path, &answer, &why) < 0)
        return cmd_fail(name, why);
    if (is_json)
        output_json(answer);
    else
        print(answer, stdout);
    json_decref(answer);
    return 0;
}
