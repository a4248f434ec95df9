/* isthmus reload */
#include "base/alloc.h"
#include "cli/ask.h"
#include "cli/commands.h"

int cmd_reload(int argc, char **argv)
{
    struct http_options options = {0};
    const struct args_flag flags[] = {HTTP_FLAGS(options)};
    const struct args_command command = {
        "isthmus reload [flags]",
        "Lets the agent read its configuration and certificates again, as "
        "SIGHUP does;\ndocs/configuration.md says what it takes from them.",
        flags, BASE_COUNT_OF(flags), "isthmus reload"};
    int code;

    if (args_parse(&command, argc, argv, NULL, &code) != 0)
        return code;
    return ask_to_do("reload", &options, "/v1/agent/reload",
                     "Configuration reload triggered");
}
