/* isthmus leave */
#include "base/alloc.h"
#include "cli/ask.h"
#include "cli/commands.h"

int cmd_leave(int argc, char **argv)
{
    struct http_options options = {0};
    const struct args_flag flags[] = {HTTP_FLAGS(options)};
    const struct args_command command = {
        "isthmus leave [flags]",
        "Lets the agent say goodbye to its pools and stop. The others then see "
        "it as\nleft, not as failed.",
        flags, BASE_COUNT_OF(flags), "isthmus leave"};
    int code;

    if (args_parse(&command, argc, argv, NULL, &code) != 0)
        return code;
    return ask_to_do("leave", &options, "/v1/agent/leave",
                     "Graceful leave complete");
}
