/* isthmus catalog datacenters */
#include "base/alloc.h"
#include "cli/ask.h"
#include "cli/commands.h"
#include "cli/table.h"

static void print(json_t *answer, FILE *to)
{
    const json_t *name;
    size_t i;

    json_array_foreach (answer, i, name)
        table_print_word(json_string_value(name), to);
}

int cmd_catalog_datacenters(int argc, char **argv)
{
    struct ask ask = {.format = "table"};
    const struct args_flag flags[] = {ASK_FLAGS(ask)};
    const struct args_command command = {
        "isthmus catalog datacenters [flags]",
        "Lists the datacenters that the agent knows, the nearest first.", flags,
        BASE_COUNT_OF(flags), "isthmus catalog datacenters"};
    int code;

    if (args_parse(&command, argc, argv, NULL, &code) != 0)
        return code;
    return ask_and_print(&command, "catalog datacenters", &ask,
                         "/v1/catalog/datacenters", print);
}
