/* isthmus leave */
#include <stdio.h>

#include "base/alloc.h"
#include "cli/commands.h"
#include "cli/http_client.h"

int cmd_leave(int argc, char **argv)
{
    struct http_options options = {0};
    const struct args_flag flags[] = {HTTP_FLAGS(options)};
    const struct args_command command = {
        "isthmus leave [flags]",
        "Lets the agent say goodbye to its pools and stop. The others then see "
        "it as\nleft, not as failed.",
        flags, BASE_COUNT_OF(flags), "isthmus leave"};
    struct http_target target;
    char *why = NULL;
    int code, rv;

    if (args_parse(&command, argc, argv, NULL, &code) != 0)
        return code;
    rv = http_target_init(&target, &options, &why);
    if (rv == 0) {
        rv = http_json(&target, "PUT", "/v1/agent/leave", NULL, &why);
        http_target_close(&target);
    }
    if (rv < 0)
        return cmd_fail("leave", why);
    puts("Graceful leave complete");
    return 0;
}
