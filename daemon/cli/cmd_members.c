/* isthmus members */
#include <stdio.h>

#include "base/alloc.h"
#include "cli/commands.h"
#include "cli/http_client.h"
#include "cli/members_view.h"
#include "cli/output.h"

struct request {
    struct http_options options;
    const char *status;
    bool wan, detailed, is_json;
};

static int fetch(const struct request *request, json_t **out, char **why)
{
    struct http_target target;
    int rv = http_target_init(&target, &request->options, why);

    if (rv < 0)
        return rv;
    rv = http_json(&target, "GET",
                   request->wan ? "/v1/agent/members?wan=1"
                                : "/v1/agent/members",
                   out, why);
    http_target_close(&target);
    return rv;
}

static int show(const struct request *request, const regex_t *status)
{
    json_t *list, *selected;
    char *why = NULL;

    if (fetch(request, &list, &why) < 0)
        return cmd_fail("members", why);
    selected = members_select(list, status);
    json_decref(list);
    if (request->is_json)
        output_json(selected);
    else
        members_print(selected, request->detailed, stdout);
    json_decref(selected);
    return 0;
}

int cmd_members(int argc, char **argv)
{
    struct request request = {.status = ".*"};
    const char *format = "table";
    const struct args_flag flags[] = {
        {"wan", ARGS_BOOL, &request.wan, NULL,
         "the WAN pool: servers of all datacenters; default: the LAN pool"},
        {"detailed", ARGS_BOOL, &request.detailed, NULL, "show all tags"},
        {"status", ARGS_TEXT, &request.status, "REGEX",
         "only members whose whole status matches: alive, leaving, left, "
         "failed"},
        {"format", ARGS_TEXT, &format, "FORMAT", "table or json"},
        HTTP_FLAGS(request.options)};
    const struct args_command command = {
        "isthmus members [flags]",
        "Lists the members of a pool as the agent sees them.", flags,
        BASE_COUNT_OF(flags), "isthmus members -wan -status='alive|failed'"};
    regex_t status;
    char *whole;
    int code;

    if (args_parse(&command, argc, argv, NULL, &code) != 0)
        return code;
    if (!output_format(format, &request.is_json))
        return args_usage_error(&command, "-format: wanted table or json");
    whole = base_asprintf("^(%s)$", request.status);
    code = regcomp(&status, whole, REG_EXTENDED | REG_NOSUB);
    base_free(whole);
    if (code != 0)
        return args_usage_error(&command,
                                "-status: \"%s\" is no regular expression",
                                request.status);
    code = show(&request, &status);
    regfree(&status);
    return code;
}
