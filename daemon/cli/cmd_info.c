/* isthmus info */
#include <stdio.h>

#include "base/alloc.h"
#include "cli/commands.h"
#include "cli/http_client.h"
#include "cli/output.h"

/* The agent's part comes as objects of texts, each a subsystem. */
static void print(json_t *stats)
{
    json_t *section, *value;
    const char *name, *key;

    json_object_foreach(stats, name, section)
    {
        printf("%s:\n", name);
        json_object_foreach(section, key, value)
        {
            const char *text = json_string_value(value);

            printf("\t%s = %s\n", key, text ? text : "");
        }
    }
}

int cmd_info(int argc, char **argv)
{
    struct http_options options = {0};
    const char *format = "table";
    bool is_json;
    const struct args_flag flags[] = {
        {"format", ARGS_TEXT, &format, "FORMAT", "table or json"},
        HTTP_FLAGS(options)};
    const struct args_command command = {
        "isthmus info [flags]",
        "Shows how the agent fares, one part of it after the other: its "
        "services, its\npools, and a server's Raft.",
        flags, BASE_COUNT_OF(flags), "isthmus info"};
    struct http_target target;
    json_t *self = NULL;
    char *why = NULL;
    int code, rv;

    if (args_parse(&command, argc, argv, NULL, &code) != 0)
        return code;
    if (!output_format(format, &is_json))
        return args_usage_error(&command, "-format: wanted table or json");
    rv = http_target_init(&target, &options, &why);
    if (rv == 0) {
        rv = http_json(&target, "GET", "/v1/agent/self", &self, &why);
        http_target_close(&target);
    }
    if (rv < 0)
        return cmd_fail("info", why);
    if (is_json)
        output_json(json_object_get(self, "Stats"));
    else
        print(json_object_get(self, "Stats"));
    json_decref(self);
    return 0;
}
