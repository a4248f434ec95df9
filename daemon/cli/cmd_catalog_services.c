/* isthmus catalog services */
#include "base/alloc.h"
#include "cli/ask.h"
#include "cli/commands.h"
#include "cli/json_get.h"
#include "cli/table.h"

/* The API's answers: {"web": ["v1"]} of all nodes, {"Services": {"web-1":
 * {"Service": "web", "Tags": ["v1"]}}} of one. */
static json_t *by_name(json_t *answer)
{
    json_t *services = json_object_get(answer, "Services"), *out, *service;
    const char *id;

    if (!json_is_object(services))
        return json_incref(answer);
    out = json_object();
    json_object_foreach(services, id, service)
    {
        const char *name =
            json_string_value(json_object_get(service, "Service"));
        json_t *tags = json_object_get(service, "Tags");

        json_object_set(out, name ? name : id, tags ? tags : json_null());
    }
    return out;
}

static void print_names(json_t *answer, FILE *to)
{
    json_t *services = by_name(answer), *tags;
    const char *name;

    json_object_foreach(services, name, tags)
        table_print_word(name, to);
    json_decref(services);
}

static void print_tags(json_t *answer, FILE *to)
{
    static const char *const headings[] = {"Service", "Tags"};
    struct table *table = table_new(headings, BASE_COUNT_OF(headings));
    json_t *services = by_name(answer), *tags;
    const char *name;

    json_object_foreach(services, name, tags)
    {
        char *joined = json_join(tags);

        table_add(table, (const char *const[]){name, joined});
        base_free(joined);
    }
    table_print(table, to);
    table_free(table);
    json_decref(services);
}

static char *path_of(const char *node, const struct args_list *meta)
{
    char *escaped = http_escape(node ? node : "");
    char *path = node ? base_asprintf("/v1/catalog/node/%s", escaped)
                      : base_strdup("/v1/catalog/services");
    size_t i;

    base_free(escaped);
    for (i = 0; i < meta->count; i++)
        path = ask_with(path, "node-meta", meta->items[i]);
    return path;
}

int cmd_catalog_services(int argc, char **argv)
{
    struct ask ask = {.format = "table"};
    struct args_list meta = {NULL, 0};
    const char *node = NULL;
    bool tags = false;
    const struct args_flag flags[] = {
        {"node", ARGS_TEXT, &node, "NAME", "services of that node"},
        {"node-meta", ARGS_LIST, &meta, "KEY:VALUE",
         "services of nodes with that metadata; repeatable"},
        {"tags", ARGS_BOOL, &tags, NULL, "show their tags too"},
        ASK_FLAGS(ask)};
    const struct args_command command = {
        "isthmus catalog services [flags]",
        "Lists the services of a datacenter by name.", flags,
        BASE_COUNT_OF(flags), "isthmus catalog services -tags"};
    char *path;
    int code;

    if (args_parse(&command, argc, argv, NULL, &code) == 0) {
        path = path_of(node, &meta);
        code = ask_and_print(&command, "catalog services", &ask, path,
                             tags ? print_tags : print_names);
        base_free(path);
    }
    args_list_close(&meta);
    return code;
}
