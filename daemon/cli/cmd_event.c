/* isthmus event */
#include <stdio.h>
#include <string.h>

#include "base/alloc.h"
#include "cli/commands.h"
#include "cli/http_client.h"
#include "cli/json_get.h"
#include "cli/output.h"
#include "cli/payload.h"
#include "cli/table.h"

struct request {
    struct http_options options;
    const char *name, *payload;
    bool list, wan, is_json;
};

static int fire(const struct request *request, const struct http_target *target)
{
    char *name = http_escape(request->name), *why = NULL;
    char *path = base_asprintf("/v1/event/fire/%s%s", name,
                               request->wan ? "?wan=1" : "");
    json_t *event = NULL;
    int rv = http_json_body(target, "PUT", path, request->payload,
                            strlen(request->payload), &event, &why);

    base_free(path);
    base_free(name);
    if (rv < 0)
        return cmd_fail("event", why);
    if (request->is_json)
        output_json(event);
    else
        printf("Event ID: %s\n", json_get_text(event, "ID"));
    json_decref(event);
    return 0;
}

static void print_list(const json_t *list)
{
    static const char *const headings[] = {"ID", "Name", "LTime", "Payload"};
    struct table *table = table_new(headings, BASE_COUNT_OF(headings));
    const json_t *event;
    size_t i;

    json_array_foreach (list, i, event) {
        char *ltime = base_asprintf(
            "%" JSON_INTEGER_FORMAT, json_get_int(event, "LTime"));
        char *payload = payload_text(event, "Payload");
        const char *cells[] = {json_get_text(event, "ID"),
                               json_get_text(event, "Name"), ltime, payload};

        table_add(table, cells);
        base_free(ltime);
        base_free(payload);
    }
    table_print(table, stdout);
    table_free(table);
}

static int list(const struct request *request, const struct http_target *target)
{
    char *name = http_escape(request->name ? request->name : ""), *why = NULL;
    char *path = base_asprintf("/v1/event/list?name=%s", name);
    json_t *events = NULL;
    int rv = http_json(target, "GET", path, &events, &why);

    base_free(path);
    base_free(name);
    if (rv < 0)
        return cmd_fail("event", why);
    if (request->is_json)
        output_json(events);
    else
        print_list(events);
    json_decref(events);
    return 0;
}

static int run(const struct request *request)
{
    struct http_target target;
    char *why = NULL;
    int code;

    if (http_target_init(&target, &request->options, &why) < 0)
        return cmd_fail("event", why);
    code = request->list ? list(request, &target) : fire(request, &target);
    http_target_close(&target);
    return code;
}

int cmd_event(int argc, char **argv)
{
    struct request request = {.payload = ""};
    struct args_list words = {NULL, 0};
    const char *format = "table";
    const struct args_flag flags[] = {
        {"name", ARGS_TEXT, &request.name, "NAME", "name of the event"},
        {"wan", ARGS_BOOL, &request.wan, NULL,
         "fire it in the pool of all datacenters' servers"},
        {"list", ARGS_BOOL, &request.list, NULL,
         "list the last events that the agent heard of (of that name)"},
        {"format", ARGS_TEXT, &format, "FORMAT", "table or json"},
        HTTP_FLAGS(request.options)};
    const struct args_command command = {
        "isthmus event -name=NAME [PAYLOAD]",
        "Fires a user event: every member of the datacenter's pool hears of it "
        "once.\nName and payload together have room in 512 bytes.",
        flags, BASE_COUNT_OF(flags),
        "isthmus event -name=deploy 7f3c2a1\nisthmus event -list"};
    int code;

    if (args_parse(&command, argc, argv, &words, &code) != 0) {
        args_list_close(&words);
        return code;
    }
    if (!output_format(format, &request.is_json))
        code = args_usage_error(&command, "-format: wanted table or json");
    else if (!request.list && (request.name == NULL || *request.name == '\0'))
        code = args_usage_error(&command, "-name is needed");
    else if (words.count > (request.list ? 0 : 1))
        code = args_usage_error(&command, "unexpected word \"%s\"",
                                words.items[words.count - 1]);
    else {
        if (words.count == 1)
            request.payload = words.items[0];
        code = run(&request);
    }
    args_list_close(&words);
    return code;
}
