/* isthmus reload */
#include <stdio.h>

#include "base/alloc.h"
#include "cli/commands.h"
#include "cli/http_client.h"

int cmd_reload(int argc, char **argv)
{
    struct http_options options = {0};
    const struct args_flag flags[] = {HTTP_FLAGS(options)};
    const struct args_command command = {
        "isthmus reload [flags]",
        "Lets the agent read its configuration and certificates again, as "
        "SIGHUP does;\ndocs/configuration.md says what it takes from them.",
        flags, BASE_COUNT_OF(flags), "isthmus reload"};
    struct http_target target;
    char *why = NULL;
    int code, rv;

    if (args_parse(&command, argc, argv, NULL, &code) != 0)
        return code;
    rv = http_target_init(&target, &options, &why);
    if (rv == 0) {
        rv = http_json(&target, "PUT", "/v1/agent/reload", NULL, &why);
        http_target_close(&target);
    }
    if (rv < 0)
        return cmd_fail("reload", why);
    puts("Configuration reload triggered");
    return 0;
}
