/* isthmus snapshot inspect */
#include <stdio.h>

#include "base/alloc.h"
#include "base/error.h"
#include "base/pb.h"
#include "cli/args.h"
#include "cli/commands.h"
#include "cli/output.h"
#include "cli/snapshot_file.h"
#include "daemon/server.pb-c.h"

/* What is in it, in the order in which it is shown; NULL with *why. */
static json_t *contents(const struct archive *archive, char **why)
{
    size_t len = base_buf_len(&archive->state), services = 0, checks = 0, i;
    Server__Snapshot *state =
        base_pb_unpack(&server__snapshot__descriptor,
                       base_buf_data(&archive->state), len,
                       base_pb_budget(len));
    Fedstate__Table *table = NULL;
    json_t *shown = NULL;

    if (state != NULL)
        table = base_pb_unpack(&fedstate__table__descriptor,
                               state->federation.data, state->federation.len,
                               base_pb_budget(state->federation.len));
    if (table == NULL) {
        base_pb_free(state);
        *why = base_strdup("its state is not of this program");
        return NULL;
    }
    for (i = 0; i < state->n_nodes; i++) {
        services += state->nodes[i]->n_services;
        checks += state->nodes[i]->n_checks;
    }
    shown = json_pack(
        "{s:s, s:I, s:I, s:I, s:I, s:I, s:I, s:I, s:I}", "ID", archive->id,
        "Index", (json_int_t)archive->index, "Term", (json_int_t)archive->term,
        "Version", (json_int_t)state->version, "Size", (json_int_t)len,
        "Nodes", (json_int_t)state->n_nodes, "Services", (json_int_t)services,
        "Checks", (json_int_t)checks, "Federation states",
        (json_int_t)table->n_states);
    base_pb_free(table);
    base_pb_free(state);
    return shown;
}

static void print(json_t *shown)
{
    const char *key;
    json_t *value;

    json_object_foreach(shown, key, value)
    {
        if (json_is_string(value))
            printf("%-17s  %s\n", key, json_string_value(value));
        else
            printf("%-17s  %" JSON_INTEGER_FORMAT "\n", key,
                   json_integer_value(value));
    }
}

static int show(const char *name, bool is_json)
{
    struct base_buf file = BASE_BUF_INIT;
    struct archive archive = {.state = BASE_BUF_INIT};
    char *why = NULL;
    json_t *shown = snapshot_read(name, &file, &archive, &why) == 0
                        ? contents(&archive, &why)
                        : NULL;

    archive_close(&archive);
    base_buf_close(&file);
    if (shown == NULL)
        return cmd_fail("snapshot inspect", why);
    if (is_json)
        output_json(shown);
    else
        print(shown);
    json_decref(shown);
    return 0;
}

int cmd_snapshot_inspect(int argc, char **argv)
{
    struct args_list words = {0};
    const char *format = "table";
    bool is_json;
    const struct args_flag flags[] = {
        {"format", ARGS_TEXT, &format, "FORMAT", "table or json"}};
    const struct args_command command = {
        "isthmus snapshot inspect [flags] FILE",
        "Verifies a snapshot and shows what it holds. No agent is asked.",
        flags, BASE_COUNT_OF(flags), "isthmus snapshot inspect backup.snap"};
    int code;

    if (args_parse(&command, argc, argv, &words, &code) == 0) {
        if (words.count != 1)
            code = args_usage_error(&command, "one FILE is needed");
        else if (!output_format(format, &is_json))
            code = args_usage_error(&command, "-format: wanted table or json");
        else
            code = show(words.items[0], is_json);
    }
    args_list_close(&words);
    return code;
}
