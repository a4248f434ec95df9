/* isthmus force-leave */
#include "base/alloc.h"
#include "cli/commands.h"
#include "cli/http_client.h"

static int force(const struct http_options *options, const char *node,
                 bool prune, bool wan)
{
    struct http_target target;
    char *name, *path, *why = NULL;
    int rv;

    if (http_target_init(&target, options, &why) < 0)
        return cmd_fail("force-leave", why);
    name = http_escape(node);
    path = base_asprintf("/v1/agent/force-leave/%s%s%s", name,
                         prune ? "?prune=1" : "",
                         !wan    ? ""
                         : prune ? "&wan=1"
                                 : "?wan=1");
    rv = http_json(&target, "PUT", path, NULL, &why);
    base_free(path);
    base_free(name);
    http_target_close(&target);
    return rv < 0 ? cmd_fail("force-leave", why) : 0;
}

int cmd_force_leave(int argc, char **argv)
{
    struct http_options options = {0};
    struct args_list nodes = {NULL, 0};
    bool prune = false, wan = false;
    const struct args_flag flags[] = {
        {"prune", ARGS_BOOL, &prune, NULL,
         "forget it at once, instead of listing it as left"},
        {"wan", ARGS_BOOL, &wan, NULL,
         "in the WAN pool, where it is node.datacenter"},
        HTTP_FLAGS(options)};
    const struct args_command command = {
        "isthmus force-leave [flags] NODE",
        "Declares a member that has failed as left, so that nobody tries to "
        "reach it\nany more. One that is alive joins again by itself.",
        flags, BASE_COUNT_OF(flags), "isthmus force-leave -prune b"};
    int code;

    if (args_parse(&command, argc, argv, &nodes, &code) == 0)
        code = nodes.count == 1
                   ? force(&options, nodes.items[0], prune, wan)
                   : args_usage_error(&command, "a node is needed");
    args_list_close(&nodes);
    return code;
}
