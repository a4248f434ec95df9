/*
 * isthmus agent: the configuration is read and checked here, whole, so that
 * what agent_run() gets can only fail for reasons of the outside world.
 */
#include <stdio.h>
#include <string.h>

#include "agent/agent.h"
#include "agent/config.h"
#include "agent/config_flags.h"
#include "base/alloc.h"
#include "base/error.h"
#include "cli/commands.h"

static bool wants_help(int argc, char **argv, const struct args_flag *flags,
                       size_t count)
{
    struct args_scan scan = args_scan_of(argc, argv, flags, count);
    const struct args_flag *flag;
    const char *value;
    char *why = NULL;
    int item;

    do {
        item = args_next(&scan, &flag, &value, &why);
    } while (item > ARGS_END && item != ARGS_HELP);
    base_free(why);
    return item == ARGS_HELP;
}

static int check(struct config *config, char **why)
{
    int rv = config_complete(config, why);

    if (rv == 0)
        rv = config_check(config, why);
    if (rv == 0)
        rv = config_check_tls(config, why);
    if (rv == 0)
        rv = config_prepare_data_dir(config, why);
    return rv;
}

struct line {
    int argc;
    char **argv;
};

static int read_again(void *ctx, struct config *out, char **why)
{
    const struct line *line = ctx;
    int rv;

    config_init(out);
    rv = config_apply_flags(out, line->argc, line->argv, why);
    return rv < 0 ? rv : check(out, why);
}

static int run(const struct args_command *command, int argc, char **argv)
{
    struct line line = {argc, argv};
    struct config config;
    char *why = NULL;
    int rv, code;

    config_init(&config);
    rv = config_apply_flags(&config, argc, argv, &why);
    if (rv == BASE_EINVAL) {
        code = args_usage_error(command, "%s", why);
        base_free(why);
    } else if (rv < 0 || check(&config, &why) < 0) {
        code = cmd_fail("agent", why);
    } else {
        code = agent_run(&config, read_again, &line);
    }
    config_close(&config);
    return code;
}

int cmd_agent(int argc, char **argv)
{
    size_t count;
    struct args_flag *flags = config_flags_new(&count);
    const struct args_command command = {
        "isthmus agent [flags]",
        "Runs an agent until a signal or a leave ends it. Files are read in "
        "their order,\nflags come after them; docs/configuration.md has every "
        "key.",
        flags, count,
        "isthmus agent -server -bootstrap -node=a -bind=127.0.0.1 "
        "-data-dir=/tmp/a\n"
        "isthmus agent -config-dir=/etc/isthmus.d -primary-gateway="
        "203.0.113.7:8443"};
    int code = 0;

    if (wants_help(argc, argv, flags, count))
        args_print_help(&command, stdout);
    else
        code = run(&command, argc, argv);
    base_free(flags);
    return code;
}
