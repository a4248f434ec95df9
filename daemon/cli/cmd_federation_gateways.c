/* isthmus federation gateways */
#include "base/alloc.h"
#include "cli/commands.h"
#include "cli/ask.h"
#include "cli/federation_view.h"

int cmd_federation_gateways(int argc, char **argv)
{
    struct ask ask = {.format = "table"};
    const struct args_flag flags[] = {ASK_FLAGS(ask)};
    const struct args_command command = {
        "isthmus federation gateways [flags]",
        "Lists the mesh gateways of every datacenter, as the federation states "
        "have them.\nLAN is for their own datacenter, WAN for all others; "
        "Federation says whether they\ncarry traffic of servers.",
        flags, BASE_COUNT_OF(flags), "isthmus federation gateways"};
    int code;

    if (args_parse(&command, argc, argv, NULL, &code) != 0)
        return code;
    return ask_and_print(&command, "federation gateways", &ask,
                           "/v1/internal/federation-states/mesh-gateways",
                           federation_print_gateways);
}
