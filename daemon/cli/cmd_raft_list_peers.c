/* isthmus operator raft list-peers */
#include "base/alloc.h"
#include "cli/commands.h"
#include "cli/ask.h"
#include "cli/json_get.h"
#include "cli/table.h"

static void print(json_t *answer, FILE *to)
{
    static const char *const headings[] = {"Node",  "ID",    "Address",
                                           "State", "Voter", "LastIndex"};
    struct table *table = table_new(headings, BASE_COUNT_OF(headings));
    json_t *server;
    size_t i;

    json_array_foreach (json_object_get(answer, "Servers"), i, server) {
        char *index = base_asprintf("%" JSON_INTEGER_FORMAT,
                                    json_get_int(server, "LastIndex"));
        const char *cells[] = {
            json_get_text(server, "Node"),
            json_get_text(server, "ID"),
            json_get_text(server, "Address"),
            json_is_true(json_object_get(server, "Leader")) ? "leader"
                                                            : "follower",
            json_is_true(json_object_get(server, "Voter")) ? "true" : "false",
            json_get_int(server, "LastIndex") > 0 ? index : ""};

        table_add(table, cells);
        base_free(index);
    }
    table_print(table, to);
    table_free(table);
}

int cmd_raft_list_peers(int argc, char **argv)
{
    struct ask ask = {.format = "table"};
    const struct args_flag flags[] = {ASK_FLAGS(ask)};
    const struct args_command command = {
        "isthmus operator raft list-peers [flags]",
        "Lists the servers that take part in the consensus of a datacenter: "
        "which one leads,\nwhich ones have a vote, and up to which entry each "
        "has the log, as the leader\nknows. Without a leader, -stale shows "
        "what the agent itself knows.",
        flags, BASE_COUNT_OF(flags), "isthmus operator raft list-peers"};
    int code;

    if (args_parse(&command, argc, argv, NULL, &code) != 0)
        return code;
    return ask_and_print(&command, "operator raft list-peers", &ask,
                           "/v1/operator/raft/configuration", print);
}
