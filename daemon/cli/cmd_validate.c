/* isthmus validate: what an agent would refuse at its start, without one. */
#include <stdio.h>

#include "agent/config.h"
#include "base/alloc.h"
#include "cli/args.h"
#include "cli/commands.h"

static int validate(const struct args_list *paths, char **why)
{
    struct config config;
    int rv = 0;
    size_t i;

    config_init(&config);
    for (i = 0; rv == 0 && i < paths->count; i++)
        rv = config_load_path(&config, paths->items[i], why);
    if (rv == 0)
        rv = config_complete(&config, why);
    if (rv == 0)
        rv = config_check(&config, why);
    if (rv == 0)
        rv = config_check_tls(&config, why);
    config_close(&config);
    return rv;
}

int cmd_validate(int argc, char **argv)
{
    struct args_list paths = {NULL, 0};
    bool quiet = false;
    const struct args_flag flags[] = {
        {"quiet", ARGS_BOOL, &quiet, NULL, "say nothing if all is well"},
    };
    const struct args_command command = {
        "isthmus validate [flags] FILE_OR_FOLDER...",
        "Reads configuration as an agent would, all of it together, and checks "
        "every rule,\nthe certificates among them. Exit code 0: an agent would "
        "take it.",
        flags, BASE_COUNT_OF(flags), "isthmus validate /etc/isthmus.d"};
    char *why = NULL;
    int code, rv;

    if (args_parse(&command, argc, argv, &paths, &code) != 0) {
        args_list_close(&paths);
        return code;
    }
    if (paths.count == 0)
        return args_usage_error(&command, "a file or a folder is needed");
    rv = validate(&paths, &why);
    args_list_close(&paths);
    if (rv < 0)
        return cmd_fail("validate", why);
    if (!quiet)
        puts("Configuration is valid");
    return 0;
}
