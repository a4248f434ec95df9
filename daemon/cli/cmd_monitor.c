/* isthmus monitor */
#include <stdio.h>

#include "base/alloc.h"
#include "base/log.h"
#include "cli/commands.h"
#include "cli/http_client.h"

static void on_line(void *ctx, const char *line)
{
    (void)ctx;
    /* The agent has escaped what could drive a terminal. */
    puts(line);
    fflush(stdout);
}

int cmd_monitor(int argc, char **argv)
{
    struct http_options options = {0};
    const char *level = "info";
    bool json = false;
    const struct args_flag flags[] = {
        {"log-level", ARGS_TEXT, &level, "LEVEL",
         "trace (if the agent logs that), debug, info, warn or error"},
        {"log-json", ARGS_BOOL, &json, NULL, "one JSON object a line"},
        HTTP_FLAGS(options)};
    const struct args_command command = {
        "isthmus monitor [flags]",
        "Shows the agent's log as it is written, until it is interrupted. The "
        "level is\none's own; the agent's stays as it is.",
        flags, BASE_COUNT_OF(flags), "isthmus monitor -log-level=debug"};
    struct http_target target;
    enum base_log_level parsed;
    char *path, *why = NULL;
    int code, rv;

    if (args_parse(&command, argc, argv, NULL, &code) != 0)
        return code;
    if (base_log_level_parse(level, &parsed) != 0)
        return args_usage_error(
            &command, "-log-level: wanted trace, debug, info, warn or error");
    if (http_target_init(&target, &options, &why) < 0)
        return cmd_fail("monitor", why);
    path = base_asprintf("/v1/agent/monitor?loglevel=%s%s",
                         base_log_level_name(parsed), json ? "&logjson=1" : "");
    rv = http_lines(&target, "GET", path, "", 0, 0, on_line, NULL, &why);
    base_free(path);
    http_target_close(&target);
    return rv < 0 ? cmd_fail("monitor", why) : 0;
}
