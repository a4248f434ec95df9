/* isthmus version */
#include <stdio.h>

#include "base/alloc.h"
#include "cli/args.h"
#include "cli/commands.h"
#include "cli/output.h"

int cmd_version(int argc, char **argv)
{
    const char *format = "table";
    const struct args_flag flags[] = {
        {"format", ARGS_TEXT, &format, "FORMAT", "table or json"},
    };
    const struct args_command command = {
        "isthmus version [flags]",
        "Prints the version of this binary and the gossip protocols that it "
        "speaks.",
        flags, BASE_COUNT_OF(flags), "isthmus version -format=json"};
    bool is_json;
    int code;

    if (args_parse(&command, argc, argv, NULL, &code) != 0)
        return code;
    if (!output_format(format, &is_json))
        return args_usage_error(&command, "-format: wanted table or json");
    if (is_json) {
        json_t *root = json_pack("{s:s, s:i, s:i}", "Version", ISTHMUS_VERSION,
                                 "SerfProtocolMin", 2, "SerfProtocolMax", 5);

        output_json(root);
        json_decref(root);
    } else {
        printf("Isthmus v%s\nSerf protocols 2 to 5\n", ISTHMUS_VERSION);
    }
    return 0;
}
