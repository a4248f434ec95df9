/* isthmus catalog nodes */
#include <stdio.h>

#include "base/alloc.h"
#include "cli/ask.h"
#include "cli/commands.h"
#include "cli/json_get.h"
#include "cli/table.h"

#define ID_SHOWN 8 /* enough to tell nodes apart */

static void print_brief(json_t *answer, FILE *to)
{
    static const char *const headings[] = {"Node", "ID", "Address", "DC"};
    struct table *table = table_new(headings, BASE_COUNT_OF(headings));
    const json_t *node;
    size_t i;

    json_array_foreach (answer, i, node) {
        char id[ID_SHOWN + 1];

        snprintf(id, sizeof(id), "%s", json_get_text(node, "ID"));
        table_add(table, (const char *const[]){
                             json_get_text(node, "Node"), id,
                             json_get_text(node, "Address"),
                             json_get_text(node, "Datacenter")});
    }
    table_print(table, to);
    table_free(table);
}

static void print_detailed(json_t *answer, FILE *to)
{
    static const char *const headings[] = {"Node", "ID", "Address", "DC",
                                           "TaggedAddresses", "Meta"};
    struct table *table = table_new(headings, BASE_COUNT_OF(headings));
    const json_t *node;
    size_t i;

    json_array_foreach (answer, i, node) {
        /* A service's rows call it so. */
        json_t *meta = json_object_get(node, "NodeMeta");
        char *addresses =
            json_join_pairs(json_object_get(node, "TaggedAddresses"));
        char *pairs =
            json_join_pairs(meta ? meta : json_object_get(node, "Meta"));

        table_add(table, (const char *const[]){
                             json_get_text(node, "Node"),
                             json_get_text(node, "ID"),
                             json_get_text(node, "Address"),
                             json_get_text(node, "Datacenter"), addresses,
                             pairs});
        base_free(addresses);
        base_free(pairs);
    }
    table_print(table, to);
    table_free(table);
}

static char *path_of(const char *service, const char *near,
                     const struct args_list *meta)
{
    char *escaped = http_escape(service ? service : "");
    char *path = service ? base_asprintf("/v1/catalog/service/%s", escaped)
                         : base_strdup("/v1/catalog/nodes");
    size_t i;

    base_free(escaped);
    path = ask_with(path, "near", near);
    for (i = 0; i < meta->count; i++)
        path = ask_with(path, "node-meta", meta->items[i]);
    return path;
}

int cmd_catalog_nodes(int argc, char **argv)
{
    struct ask ask = {.format = "table"};
    const char *near = NULL, *service = NULL;
    struct args_list meta = {NULL, 0};
    bool detailed = false;
    const struct args_flag flags[] = {
        {"detailed", ARGS_BOOL, &detailed, NULL,
         "whole ids, tagged addresses and metadata too"},
        {"near", ARGS_TEXT, &near, "NODE",
         "the nearest to that node first; _agent: to the agent"},
        {"node-meta", ARGS_LIST, &meta, "KEY:VALUE",
         "nodes with that metadata; repeatable"},
        {"service", ARGS_TEXT, &service, "NAME",
         "nodes that have an instance of that service"},
        ASK_FLAGS(ask)};
    const struct args_command command = {
        "isthmus catalog nodes [flags]", "Lists the nodes of a datacenter.",
        flags, BASE_COUNT_OF(flags), "isthmus catalog nodes -near=_agent"};
    char *path;
    int code;

    if (args_parse(&command, argc, argv, NULL, &code) == 0) {
        path = path_of(service, near, &meta);
        code = ask_and_print(&command, "catalog nodes", &ask, path,
                             detailed ? print_detailed : print_brief);
        base_free(path);
    }
    args_list_close(&meta);
    return code;
}
