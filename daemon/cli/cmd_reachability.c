/* isthmus reachability */
#include <stdio.h>
#include <string.h>

#include "base/alloc.h"
#include "cli/commands.h"
#include "cli/json_get.h"
#include "cli/output.h"
#include "cli/payload.h"
#include "cli/query_lines.h"

/* Serf's question that every member acks and none answers. */
#define PING "_serf_ping"
#define STATUS_ALIVE 1

/* Who is alive, and who of them answered. */
struct test {
    json_t *waiting; /* object: the names that are missing yet */
    size_t alive, strangers;
    bool is_json;
};

static void on_line(void *ctx, const json_t *line)
{
    struct test *test = ctx;
    const char *raw = json_get_text(line, "From");
    char *from;

    if (strcmp(json_get_text(line, "Type"), "ack") != 0)
        return;
    if (!test->is_json) {
        from = payload_clean(raw, strlen(raw));
        printf("\tAck from '%s'\n", from);
        fflush(stdout);
        base_free(from);
    }
    if (json_object_del(test->waiting, raw) != 0)
        test->strangers++;
}

static int find_alive(struct test *test, const struct http_target *target,
                      bool wan, char **why)
{
    json_t *members = NULL, *member;
    size_t i;
    int rv = http_json(target, "GET",
                       wan ? "/v1/agent/members?wan=1" : "/v1/agent/members",
                       &members, why);

    if (rv < 0)
        return rv;
    json_array_foreach (members, i, member)
        if (json_get_int(member, "Status") == STATUS_ALIVE)
            json_object_set_new(test->waiting, json_get_text(member, "Name"),
                                json_true());
    test->alive = json_object_size(test->waiting);
    json_decref(members);
    return 0;
}

static int report_json(const struct test *test, uint64_t acks)
{
    json_t *missing = json_array(), *value, *shown;
    const char *name;

    json_object_foreach(test->waiting, name, value)
        json_array_append_new(missing, json_string(name));
    shown = json_pack("{s:I, s:I, s:I, s:O}", "Acks", (json_int_t)acks, "Alive",
                      (json_int_t)test->alive, "Strangers",
                      (json_int_t)test->strangers, "Missing", missing);
    output_json(shown);
    json_decref(shown);
    json_decref(missing);
    return json_object_size(test->waiting) == 0 ? 0 : 1;
}

static int report(const struct test *test, uint64_t acks)
{
    const char *name;
    json_t *value;

    if (test->is_json)
        return report_json(test, acks);

    printf("Total acks: %llu, live nodes: %zu\n", (unsigned long long)acks,
           test->alive);
    if (json_object_size(test->waiting) == 0) {
        printf("All nodes reached%s\n",
               test->strangers > 0
                   ? ", and some that this agent does not hold for alive"
                   : "");
        return 0;
    }
    json_object_foreach (test->waiting, name, value) {
        char *clean = payload_clean(name, strlen(name));

        printf("\tNo ack from '%s'\n", clean);
        base_free(clean);
    }
    return 1;
}

static int run(const struct http_options *options, bool wan, bool is_json)
{
    struct test test = {.waiting = json_object(), .is_json = is_json};
    struct query_lines lines = {.on_line = on_line, .ctx = &test};
    struct http_target target;
    char *why = NULL;
    int rv;

    if (http_target_init(&target, options, &why) < 0) {
        json_decref(test.waiting);
        return cmd_fail("reachability", why);
    }
    rv = find_alive(&test, &target, wan, &why);
    if (rv == 0) {
        if (!is_json)
            printf("Starting reachability test...\n");
        rv = query_lines_run(&lines, &target,
                             wan ? "/v1/agent/query/" PING "?acks=1&wan=1"
                                 : "/v1/agent/query/" PING "?acks=1",
                             "", &why);
    }
    http_target_close(&target);
    rv = rv < 0 ? cmd_fail("reachability", why) : report(&test, lines.acks);
    json_decref(test.waiting);
    return rv;
}

int cmd_reachability(int argc, char **argv)
{
    struct http_options options = {0};
    const char *format = "table";
    bool wan = false, is_json;
    const struct args_flag flags[] = {
        {"wan", ARGS_BOOL, &wan, NULL,
         "the WAN pool; default: the LAN pool"},
        {"format", ARGS_TEXT, &format, "FORMAT", "table or json"},
        HTTP_FLAGS(options)};
    const struct args_command command = {
        "isthmus reachability [flags]",
        "Asks every member for an ack and names those that are held for alive "
        "but do not\nanswer. Exit code 0 if all did.",
        flags, BASE_COUNT_OF(flags), "isthmus reachability -wan"};
    int code;

    if (args_parse(&command, argc, argv, NULL, &code) != 0)
        return code;
    if (!output_format(format, &is_json))
        return args_usage_error(&command, "-format: wanted table or json");
    return run(&options, wan, is_json);
}
