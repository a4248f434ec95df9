/* isthmus federation list */
#include "base/alloc.h"
#include "cli/commands.h"
#include "cli/ask.h"
#include "cli/federation_view.h"

int cmd_federation_list(int argc, char **argv)
{
    struct ask ask = {.format = "table"};
    const struct args_flag flags[] = {ASK_FLAGS(ask)};
    const struct args_command command = {
        "isthmus federation list [flags]",
        "Lists the federation states: for each datacenter, what all others "
        "know of its\nmesh gateways. Updated is UTC; PrimaryIndex is, in a "
        "secondary, the record's\nindex in the primary.",
        flags, BASE_COUNT_OF(flags), "isthmus federation list -dc=dc2"};
    int code;

    if (args_parse(&command, argc, argv, NULL, &code) != 0)
        return code;
    return ask_and_print(&command, "federation list", &ask,
                           "/v1/internal/federation-states",
                           federation_print_states);
}
