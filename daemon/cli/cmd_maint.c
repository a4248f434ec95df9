/* isthmus maint */
#include <stdio.h>
#include <string.h>

#include "base/alloc.h"
#include "cli/ask.h"
#include "cli/commands.h"
#include "cli/json_get.h"
#include "cli/payload.h"

#define NODE_CHECK "_node_maintenance"
#define SERVICE_CHECK "_service_maintenance:"

struct request {
    struct http_options options;
    const char *service, *reason;
    bool enable, disable;
};

/* What the agent itself says of maintenance is a check, with the reason as its
 * notes. */
static void print_check(const json_t *check)
{
    const char *id = json_get_text(check, "CheckID");
    const char *notes = json_get_text(check, "Notes");
    char *reason = payload_clean(notes, strlen(notes));

    if (strcmp(id, NODE_CHECK) == 0)
        printf("Node:\n  Name:   %s\n  Reason: %s\n",
               json_get_text(check, "Node"), reason);
    else if (strncmp(id, SERVICE_CHECK, strlen(SERVICE_CHECK)) == 0)
        printf("Service:\n  ID:     %s\n  Reason: %s\n",
               json_get_text(check, "ServiceID"), reason);
    base_free(reason);
}

static int show(const struct http_target *target, char **why)
{
    json_t *checks, *check;
    const char *id;
    int rv = http_json(target, "GET", "/v1/agent/checks", &checks, why);

    if (rv < 0)
        return rv;
    json_object_foreach(checks, id, check)
        print_check(check);
    json_decref(checks);
    return 0;
}

static int change(const struct request *request,
                  const struct http_target *target, char **why)
{
    char *service = http_escape(request->service ? request->service : "");
    char *path =
        request->service
            ? base_asprintf("/v1/agent/service/maintenance/%s", service)
            : base_strdup("/v1/agent/maintenance");
    int rv;

    path = ask_with(path, "enable", request->enable ? "true" : "false");
    path = ask_with(path, "reason", request->reason);
    rv = http_json(target, "PUT", path, NULL, why);
    if (rv == 0)
        printf("%s maintenance is now %s\n",
               request->service ? "Service" : "Node",
               request->enable ? "enabled" : "disabled");
    base_free(path);
    base_free(service);
    return rv;
}

static int run(const struct request *request)
{
    struct http_target target;
    char *why = NULL;
    int rv = http_target_init(&target, &request->options, &why);

    if (rv < 0)
        return cmd_fail("maint", why);
    rv = request->enable || request->disable
             ? change(request, &target, &why)
             : show(&target, &why);
    http_target_close(&target);
    return rv < 0 ? cmd_fail("maint", why) : 0;
}

int cmd_maint(int argc, char **argv)
{
    struct request request = {0};
    const struct args_flag flags[] = {
        {"enable", ARGS_BOOL, &request.enable, NULL, "begin maintenance"},
        {"disable", ARGS_BOOL, &request.disable, NULL, "end it"},
        {"reason", ARGS_TEXT, &request.reason, "TEXT",
         "why, for those who look at the check"},
        {"service", ARGS_TEXT, &request.service, "ID",
         "of that service alone; default: of the node"},
        HTTP_FLAGS(request.options)};
    const struct args_command command = {
        "isthmus maint [-enable|-disable] [flags]",
        "Marks this agent's node, or one of its services, as under "
        "maintenance: a check that\nis critical until it ends. Without -enable "
        "and -disable it shows what is.",
        flags, BASE_COUNT_OF(flags),
        "isthmus maint -enable -service=web-1 -reason='new disk'"};
    int code;

    if (args_parse(&command, argc, argv, NULL, &code) != 0)
        return code;
    if (request.enable && request.disable)
        return args_usage_error(&command, "-enable or -disable, not both");
    if (!request.enable && (request.reason || (request.service &&
                                               !request.disable)))
        return args_usage_error(&command, "-reason and -service want -enable "
                                          "or -disable");
    return run(&request);
}
