/* isthmus query */
#include <stdio.h>
#include <string.h>

#include "base/alloc.h"
#include "base/buf.h"
#include "cli/commands.h"
#include "cli/json_get.h"
#include "cli/output.h"
#include "cli/payload.h"
#include "cli/query_lines.h"

struct request {
    struct http_options options;
    const char *name, *payload, *timeout;
    struct args_list nodes, tags;
    bool wan, no_ack, is_json;
    uint32_t relay_factor;
};

static void add(struct base_buf *path, const char *key, const char *value)
{
    char *escaped = http_escape(value);

    base_buf_printf(path, "&%s=%s", key, escaped);
    base_free(escaped);
}

static char *path_of(const struct request *request)
{
    struct base_buf path = BASE_BUF_INIT;
    char *name = http_escape(request->name);
    size_t i;

    base_buf_printf(&path, "/v1/agent/query/%s?relay-factor=%u%s%s", name,
                    request->relay_factor, request->wan ? "&wan=1" : "",
                    request->no_ack ? "" : "&acks=1");
    if (request->timeout)
        add(&path, "timeout", request->timeout);
    for (i = 0; i < request->nodes.count; i++)
        add(&path, "node", request->nodes.items[i]);
    for (i = 0; i < request->tags.count; i++)
        add(&path, "tag", request->tags.items[i]);
    base_free(name);
    return base_buf_take_string(&path);
}

static void print_line(void *ctx, const json_t *line)
{
    const struct request *request = ctx;
    const char *type = json_get_text(line, "Type");
    const char *raw = json_get_text(line, "From");
    char *from = payload_clean(raw, strlen(raw));
    char *payload = payload_text(line, "Payload");

    if (request->is_json) {
        json_dumpf(line, stdout, JSON_COMPACT);
        putchar('\n');
    } else if (strcmp(type, "ack") == 0) {
        printf("Ack from '%s'\n", from);
    } else if (strcmp(type, "response") == 0) {
        printf("Response from '%s': %s\n", from, payload);
    }
    fflush(stdout);
    base_free(payload);
    base_free(from);
}

static int run(struct request *request)
{
    struct query_lines lines = {.on_line = print_line, .ctx = request};
    struct http_target target;
    char *path, *why = NULL;
    int rv;

    if (http_target_init(&target, &request->options, &why) < 0)
        return cmd_fail("query", why);
    path = path_of(request);
    rv = query_lines_run(&lines, &target, path, request->payload, &why);
    base_free(path);
    http_target_close(&target);
    if (rv < 0)
        return cmd_fail("query", why);
    if (!request->is_json && !request->no_ack)
        printf("Total Acks: %llu\n", (unsigned long long)lines.acks);
    if (!request->is_json)
        printf("Total Responses: %llu\n", (unsigned long long)lines.responses);
    return 0;
}

static const char *bad_tag(const struct args_list *tags)
{
    size_t i;

    for (i = 0; i < tags->count; i++)
        if (strchr(tags->items[i], '=') == NULL || tags->items[i][0] == '=')
            return tags->items[i];
    return NULL;
}

static int check_and_run(const struct args_command *command,
                         struct request *request, const struct args_list *words,
                         const char *format)
{
    if (!output_format(format, &request->is_json))
        return args_usage_error(command, "-format: wanted table or json");
    if (words->count < 1 || words->count > 2)
        return args_usage_error(command,
                                "a name is needed, and perhaps a payload");
    if (bad_tag(&request->tags))
        return args_usage_error(command, "-tag: wanted NAME=REGEX, not \"%s\"",
                                bad_tag(&request->tags));
    request->name = words->items[0];
    request->payload = words->count == 2 ? words->items[1] : "";
    return run(request);
}

int cmd_query(int argc, char **argv)
{
    struct request request = {.payload = ""};
    struct args_list words = {NULL, 0};
    const char *format = "table";
    const struct args_flag flags[] = {
        {"wan", ARGS_BOOL, &request.wan, NULL,
         "ask the WAN pool; default: the LAN pool"},
        {"node", ARGS_LIST, &request.nodes, "NAME",
         "ask only this member; repeatable"},
        {"tag", ARGS_LIST, &request.tags, "NAME=REGEX",
         "ask only members with such a tag; repeatable"},
        {"timeout", ARGS_TEXT, &request.timeout, "TIME",
         "how long answers may take, such as 15s, 10m at most; default: by the "
         "pool's size"},
        {"no-ack", ARGS_BOOL, &request.no_ack, NULL, "do not ask for acks"},
        {"relay-factor", ARGS_UINT, &request.relay_factor, "N",
         "how many other members each answer also goes by, 0 to 5"},
        {"format", ARGS_TEXT, &format, "FORMAT",
         "table, or json: an object a line"},
        HTTP_FLAGS(request.options)};
    const struct args_command command = {
        "isthmus query [flags] NAME [PAYLOAD]",
        "Asks the members of a pool and prints what they answer, as it comes. "
        "Agents of\nIsthmus answer isthmus:version; plain serf agents what "
        "their handlers do.",
        flags, BASE_COUNT_OF(flags),
        "isthmus query isthmus:version\nisthmus query -tag=role=web load"};
    int code;

    if (args_parse(&command, argc, argv, &words, &code) == 0)
        code = check_and_run(&command, &request, &words, format);
    args_list_close(&words);
    args_list_close(&request.nodes);
    args_list_close(&request.tags);
    return code;
}
