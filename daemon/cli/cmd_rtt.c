/* isthmus rtt */
#include <stdio.h>
#include <string.h>
#include <strings.h>

#include "base/alloc.h"
#include "cli/commands.h"
#include "cli/http_client.h"
#include "cli/json_get.h"
#include "cli/output.h"
#include "gossip/serf.h"

/* ---- coordinates ---------------------------------------------------------- */

static double real_of(const json_t *object, const char *key)
{
    return json_number_value(json_object_get(object, key));
}

static bool read_coordinate(const json_t *coord, struct gossip_coordinate *out)
{
    const json_t *vec = json_object_get(coord, "Vec");
    size_t i;

    if (json_array_size(vec) != GOSSIP_COORDINATE_DIMENSIONS)
        return false;
    for (i = 0; i < GOSSIP_COORDINATE_DIMENSIONS; i++)
        out->vec[i] = json_number_value(json_array_get(vec, i));
    out->error = real_of(coord, "Error");
    out->adjustment = real_of(coord, "Adjustment");
    out->height = real_of(coord, "Height");
    return true;
}

static bool find_in(const json_t *list, const char *node, size_t len,
                    struct gossip_coordinate *out)
{
    const json_t *item;
    size_t i;

    json_array_foreach (list, i, item) {
        const char *name = json_get_text(item, "Node");

        if (strlen(name) == len && strncasecmp(name, node, len) == 0)
            return read_coordinate(json_object_get(item, "Coord"), out);
    }
    return false;
}

/* node is "node", or "node.dc" in the answer of the WAN. */
static bool find(const json_t *answer, bool wan, const char *node,
                 struct gossip_coordinate *out)
{
    const char *dot = strchr(node, '.');
    const json_t *dc;
    size_t i;

    if (!wan)
        return find_in(answer, node, strlen(node), out);
    json_array_foreach (answer, i, dc)
        if (dot && strcasecmp(json_get_text(dc, "Datacenter"), dot + 1) == 0)
            return find_in(json_object_get(dc, "Coordinates"), node,
                           (size_t)(dot - node), out);
    return false;
}

struct line {
    struct http_options options;
    bool wan, is_json;
};

/* ---- the estimate --------------------------------------------------------- */

/* This agent's name in the pool, the caller's; NULL with *why. */
static char *own_name(const struct http_target *target, bool wan, char **why)
{
    json_t *self = NULL;
    const char *node, *dc;
    char *name;

    if (http_json(target, "GET", "/v1/agent/self", &self, why) < 0)
        return NULL;
    node = json_get_text(json_object_get(self, "Config"), "NodeName");
    dc = json_get_text(json_object_get(self, "Config"), "Datacenter");
    name = wan ? base_asprintf("%s.%s", node, dc) : base_strdup(node);
    json_decref(self);
    return name;
}

static void print(const struct line *line, const char *const *nodes,
                  double rtt_ms)
{
    const char *pool = line->wan ? "WAN" : "LAN";
    json_t *shown;

    if (!line->is_json) {
        printf("Estimated %s <-> %s rtt: %.3f ms (using %s coordinates)\n",
               nodes[0], nodes[1], rtt_ms, pool);
        return;
    }
    shown = json_pack("{s:[s, s], s:f, s:s}", "Nodes", nodes[0], nodes[1],
                      "RTTMs", rtt_ms, "Pool", pool);
    output_json(shown);
    json_decref(shown);
}

static int estimate(const json_t *answer, const struct line *line,
                    const char *const *nodes, char **why)
{
    struct gossip_coordinate at[2];
    bool wan = line->wan;
    size_t i;

    for (i = 0; i < 2; i++)
        if (!find(answer, wan, nodes[i], &at[i])) {
            *why = base_asprintf("no %s coordinate of the node %s is known",
                                 wan ? "WAN" : "LAN", nodes[i]);
            return -1;
        }
    print(line, nodes, (double)gossip_coordinate_rtt_ns(&at[0], &at[1]) / 1e6);
    return 0;
}

static int run(const struct line *line, const struct args_list *words)
{
    struct http_target target;
    bool wan = line->wan;
    const char *nodes[2] = {words->items[0], NULL};
    char *own = NULL, *why = NULL;
    json_t *answer = NULL;
    int rv;

    if (http_target_init(&target, &line->options, &why) < 0)
        return cmd_fail("rtt", why);
    if (words->count == 1)
        own = own_name(&target, wan, &why);
    nodes[1] = words->count == 1 ? own : words->items[1];
    rv = nodes[1] == NULL ? -1
                          : http_json(&target, "GET",
                                      wan ? "/v1/coordinate/datacenters"
                                          : "/v1/coordinate/nodes",
                                      &answer, &why);
    if (rv == 0)
        rv = estimate(answer, line, nodes, &why);
    json_decref(answer);
    base_free(own);
    http_target_close(&target);
    return rv < 0 ? cmd_fail("rtt", why) : 0;
}

static bool has_datacenters(const struct args_list *words)
{
    size_t i;

    for (i = 0; i < words->count; i++)
        if (strchr(words->items[i], '.') == NULL)
            return false;
    return true;
}

int cmd_rtt(int argc, char **argv)
{
    struct line line = {.wan = false};
    struct args_list words = {NULL, 0};
    const char *format = "table";
    const struct args_flag flags[] = {
        {"wan", ARGS_BOOL, &line.wan, NULL,
         "servers of any datacenter, as node.datacenter; default: nodes of "
         "this one"},
        {"format", ARGS_TEXT, &format, "FORMAT", "table or json"},
        HTTP_FLAGS(line.options)};
    const struct args_command command = {
        "isthmus rtt [flags] NODE [NODE]",
        "Estimates the round trip between two nodes from their network "
        "coordinates,\nwithout asking them. The second node is the agent's own "
        "unless it is given.",
        flags, BASE_COUNT_OF(flags), "isthmus rtt -wan a.dc1 b.dc2"};
    int code;

    if (args_parse(&command, argc, argv, &words, &code) == 0) {
        if (words.count < 1 || words.count > 2)
            code = args_usage_error(&command, "one or two nodes are needed");
        else if (!output_format(format, &line.is_json))
            code = args_usage_error(&command, "-format: wanted table or json");
        else if (line.wan && !has_datacenters(&words))
            code = args_usage_error(
                &command, "with -wan a node is written node.datacenter");
        else
            code = run(&line, &words);
    }
    args_list_close(&words);
    return code;
}
